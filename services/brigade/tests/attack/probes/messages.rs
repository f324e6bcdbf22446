//! Messages that are more than they seem, and what each is answered.

use std::{io::Write as _, net::SocketAddr, sync::OnceLock};

use axum::body::Bytes;

use super::{Attacked, PROCESS};
use crate::{
    caller::{Answer, Caller},
    service::{Service, within},
};

/// Refused for want of a token.
const UNAUTHENTICATED: &str = "16";
/// Compression is not spoken here.
const UNIMPLEMENTED: &str = "12";
/// A message says that it is compressed, in a call that does not say how.
const INTERNAL: &str = "13";

const GZIP: (&str, &str) = ("grpc-encoding", "gzip");

/// Five bytes that announce 4 MiB, and as much of them as is sent before the service reads.
pub(super) async fn length_prefix(address: SocketAddr) -> Attacked {
    let announced = [&[0][..], &(4_u32 << 20).to_be_bytes(), &[7; 16_000]].concat();
    let announced = Bytes::from(announced);
    let mut callers = Vec::new();
    for _ in 0..10 {
        let mut caller = Caller::connect(address).await;
        let mut answers = Vec::new();
        for _ in 0..100 {
            answers.push(caller.begin(PROCESS, &[], announced.clone(), false).await);
        }
        for answer in answers {
            assert_eq!(within(answer).await.grpc_status(), UNAUTHENTICATED);
        }
        callers.push(caller);
    }
    Attacked::calling(callers)
}

/// Whole messages: within every limit but for what they unpack to, and within the limit of a body. And the same that do
/// not say how they are packed, and without a token.
pub(super) async fn bomb(service: &Service) -> Attacked {
    let bearer = format!("Bearer {}", service.token());
    let token = ("authorization", bearer.as_str());
    let kinds = [
        (60, vec![token, GZIP], UNIMPLEMENTED),
        (512, vec![token, GZIP], UNIMPLEMENTED),
        (60, vec![token], INTERNAL),
        (512, vec![GZIP], UNAUTHENTICATED),
    ];
    let mut callers = Vec::new();
    for _ in 0..10 {
        for (mebibytes, fields, expected) in &kinds {
            let mut caller = Caller::connect(service.address).await;
            let message = packed(*mebibytes);
            let answer = caller.begin(PROCESS, fields, message, true).await;
            let answer: Answer = within(answer).await;
            let status = answer.grpc_status();
            assert_eq!(status, *expected, "{mebibytes} MiB, {fields:?}");
            callers.push(caller);
        }
    }
    Attacked::calling(callers)
}

/// A gRPC message that says it is compressed: the flag, the length, and this many MiB of zeros. Gzip packs them a
/// thousandfold, so that 60 MiB fit into a message and 512 MiB into a body.
fn packed(mebibytes: usize) -> Bytes {
    let mut packed = HEAD.to_vec();
    for _ in 0..mebibytes {
        packed.extend(mebibyte());
    }
    let length = u32::try_from(packed.len()).unwrap().to_be_bytes();
    [&[1][..], &length, &packed].concat().into()
}

/// Of a gzip file (RFC 1952, section 2.3). Its end is left out: a reader sees that after all the rest.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A MiB of zeros that can stand anywhere in a deflated stream, for it refers to nothing before it.
fn mebibyte() -> &'static [u8] {
    static PACKED: OnceLock<Vec<u8>> = OnceLock::new();
    PACKED.get_or_init(|| {
        let best = flate2::Compression::best();
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), best);
        deflate.write_all(&vec![0; 1 << 20]).unwrap();
        deflate.flush().unwrap();
        deflate.get_ref().clone()
    })
}
