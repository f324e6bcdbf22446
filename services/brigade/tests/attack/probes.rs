//! What an ill-meaning client may do. Each is bounded in what it sends and in how long it waits.

use std::{io::Write as _, net::SocketAddr, sync::OnceLock, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use crate::{
    service::{PATIENCE, Service},
    wire::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, GET, HEADERS, PING, Peer, RST_STREAM,
        SETTINGS, frame, literal,
    },
};

/// How many frames a flood has.
const FLOOD: u32 = 20_000;
/// `:method: POST`, `:scheme: http`.
const POST: [u8; 2] = [0x83, 0x86];
const PROCESS: &str = "/brigade.v1.WorkerService/Process";

/// One kind of attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Requests without what a request must have.
    Malformed,
    /// Requests that are taken back at once (CVE-2023-44487).
    RapidReset,
    /// Requests that never end.
    NeverEnded,
    /// A header block that never ends (CVE-2024-27316).
    Continuation,
    /// Headers of 20 KB.
    LongHeaders,
    /// Empty pieces of a body without end (RUSTSEC-2026-0258).
    EmptyData,
    /// Pings and settings whose answers are never read.
    Unread,
    /// A message that announces 4 MiB, on a thousand streams, without a token.
    LengthPrefix,
    /// Messages of 60 KB that unpack to 60 MiB, with a token.
    Bomb,
    /// Headers a byte at a time, and headers that stop in the middle.
    SlowHeaders,
    /// A thousand connections that say nothing, or hello and nothing more.
    Idle,
    /// Connections whose client has closed its side, and streams whose client has not.
    HalfClosed,
}

pub(crate) const ALL: [Probe; 12] = [
    Probe::Malformed,
    Probe::RapidReset,
    Probe::NeverEnded,
    Probe::Continuation,
    Probe::LongHeaders,
    Probe::EmptyData,
    Probe::Unread,
    Probe::LengthPrefix,
    Probe::Bomb,
    Probe::SlowHeaders,
    Probe::Idle,
    Probe::HalfClosed,
];

// === impl Probe ===

impl Probe {
    /// How many streams the service may reset before it closes the connection; nothing when it need not close it.
    pub(crate) fn closed_within(self) -> Option<usize> {
        match self {
            Self::Malformed
            | Self::RapidReset
            | Self::NeverEnded
            | Self::Continuation
            | Self::EmptyData => Some(200),
            Self::LongHeaders
            | Self::Unread
            | Self::LengthPrefix
            | Self::Bomb
            | Self::SlowHeaders
            | Self::Idle
            | Self::HalfClosed => None,
        }
    }

    /// Attacks, and says whether the service closed the connection by itself, where one should be.
    pub(crate) async fn run(self, service: &Service) -> Attacked {
        let address = service.address;
        match self {
            Self::Malformed => {
                flood(address, |stream| {
                    frame(HEADERS, END_STREAM | END_HEADERS, stream, &[0x84])
                })
                .await
            }
            Self::RapidReset => {
                flood(address, |stream| {
                    let mut frames = frame(HEADERS, END_HEADERS, stream, &GET);
                    frames.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
                    frames
                })
                .await
            }
            Self::NeverEnded => {
                flood(address, |stream| {
                    frame(HEADERS, END_HEADERS, stream, &call(None))
                })
                .await
            }
            Self::Continuation => {
                flood(address, |stream| match stream {
                    1 => frame(HEADERS, 0, 1, &GET),
                    _ => frame(CONTINUATION, 0, 1, &literal("x", &"y".repeat(120))),
                })
                .await
            }
            Self::LongHeaders => long_headers(address).await,
            Self::EmptyData => {
                flood(address, |stream| match stream {
                    1 => frame(HEADERS, END_HEADERS, 1, &call(Some(&service.token()))),
                    _ => frame(DATA, 0, 1, &[]),
                })
                .await
            }
            Self::Unread => unread(address).await,
            Self::LengthPrefix => length_prefix(address).await,
            Self::Bomb => bomb(service).await,
            Self::SlowHeaders => slow_headers(address).await,
            Self::Idle => idle(address).await,
            Self::HalfClosed => half_closed(service).await,
        }
    }
}

/// What came of an attack. The connections stay open until it is dropped.
pub(crate) struct Attacked {
    /// Streams that the service reset before it closed the connection; nothing when it has not, or need not.
    pub(crate) closed_after: Option<usize>,
    open: Vec<Peer>,
    silent: Vec<TcpStream>,
}

impl Attacked {
    fn open(open: Vec<Peer>, silent: Vec<TcpStream>) -> Self {
        Self {
            closed_after: None,
            open,
            silent,
        }
    }

    /// Waits until the service has closed every connection.
    #[allow(dead_code, reason = "the bench waits for it, the tests do not")]
    pub(crate) async fn all_closed(self) {
        for mut peer in self.open {
            while peer.next().await.is_some() {}
        }
        for mut stream in self.silent {
            let mut rest = Vec::new();
            // A reset is an end too.
            let _ = stream.read_to_end(&mut rest).await;
        }
    }
}

/// The headers of a call of the worker.
fn call(token: Option<&str>) -> Vec<u8> {
    let mut block = [
        &POST[..],
        &literal(":path", PROCESS),
        &literal("content-type", "application/grpc"),
        &literal("te", "trailers"),
    ]
    .concat();
    if let Some(token) = token {
        block.extend(long_literal("authorization", &format!("Bearer {token}")));
    }
    block
}

/// A literal whose value may be longer than 126 bytes (RFC 7541, section 5.1).
fn long_literal(name: &str, value: &str) -> Vec<u8> {
    let mut literal = vec![0, u8::try_from(name.len()).unwrap()];
    literal.extend(name.as_bytes());
    literal.push(127);
    let mut rest = value.len() - 127;
    while rest >= 128 {
        literal.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    literal.push(u8::try_from(rest).unwrap());
    literal.extend(value.as_bytes());
    literal
}

/// Many frames on one connection; what comes back is read meanwhile.
async fn flood(address: SocketAddr, frames: impl Fn(u32) -> Vec<u8>) -> Attacked {
    let Peer {
        mut read,
        mut write,
    } = Peer::connect(address).await.unwrap();
    let counting = tokio::spawn(async move {
        let mut resets = 0;
        while let Some(frame) = crate::wire::next(&mut read).await {
            resets += usize::from(frame.kind == RST_STREAM);
        }
        resets
    });
    for number in 0..FLOOD {
        if write.write_all(&frames(number * 2 + 1)).await.is_err() {
            break;
        }
    }
    let counted = timeout(PATIENCE, counting).await;
    Attacked {
        closed_after: counted.ok().map(Result::unwrap),
        open: Vec::new(),
        silent: Vec::new(),
    }
}

/// Each within a frame, and over the limit of a header list (RFC 9113, section 10.5.1).
async fn long_headers(address: SocketAddr) -> Attacked {
    let long = literal("x", &"y".repeat(120)).repeat(130);
    let block = [&GET[..], &long].concat();
    let Peer {
        mut read,
        mut write,
    } = Peer::connect(address).await.unwrap();
    let reading =
        tokio::spawn(async move { while crate::wire::next(&mut read).await.is_some() {} });
    for number in 0..2_000 {
        let request = frame(HEADERS, END_STREAM | END_HEADERS, number * 2 + 1, &block);
        if write.write_all(&request).await.is_err() {
            break;
        }
    }
    drop(write);
    timeout(PATIENCE, reading).await.unwrap().unwrap();
    Attacked::open(Vec::new(), Vec::new())
}

/// As much as the service takes while nobody reads its answers.
async fn unread(address: SocketAddr) -> Attacked {
    let mut peer = Peer::connect(address).await.unwrap();
    let both = [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[])].concat();
    let sending = async {
        for _ in 0..FLOOD {
            if !peer.send(&both).await {
                break;
            }
        }
    };
    // A service that stops reading is right.
    let _ = timeout(Duration::from_secs(2), sending).await;
    Attacked::open(vec![peer], Vec::new())
}

async fn length_prefix(address: SocketAddr) -> Attacked {
    // As much as a stream's window holds before anybody reads it.
    let announced = [&[0][..], &(4_u32 << 20).to_be_bytes(), &[7; 16_000]].concat();
    let mut peers = Vec::new();
    for _ in 0..10 {
        let mut peer = Peer::connect(address).await.unwrap();
        for stream in (1..200).step_by(2) {
            peer.send(&frame(HEADERS, END_HEADERS, stream, &call(None)))
                .await;
            peer.send(&frame(DATA, 0, stream, &announced)).await;
        }
        peers.push(peer);
    }
    Attacked::open(peers, Vec::new())
}

/// Whole messages within every limit, but for what they unpack to.
async fn bomb(service: &Service) -> Attacked {
    let message = packed();
    let mut peers = Vec::new();
    for _ in 0..10 {
        let mut peer = Peer::connect(service.address).await.unwrap();
        let mut headers = call(Some(&service.token()));
        headers.extend(literal("grpc-encoding", "gzip"));
        peer.send(&frame(HEADERS, END_HEADERS, 1, &headers)).await;
        for piece in message.chunks(16_384) {
            peer.send(&frame(DATA, 0, 1, piece)).await;
        }
        peer.send(&frame(DATA, END_STREAM, 1, &[])).await;
        peers.push(peer);
    }
    Attacked::open(peers, Vec::new())
}

/// A gRPC message of about 60 KB that says it is compressed: the flag, the length, and 60 MiB of zeros.
fn packed() -> &'static [u8] {
    static PACKED: OnceLock<Vec<u8>> = OnceLock::new();
    PACKED.get_or_init(|| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&vec![0; 60 << 20]).unwrap();
        let packed = gzip.finish().unwrap();
        assert!(packed.len() < 64 * 1024, "it stays under the limit");
        let length = u32::try_from(packed.len()).unwrap().to_be_bytes();
        [&[1][..], &length, &packed].concat()
    })
}

async fn slow_headers(address: SocketAddr) -> Attacked {
    let (mut peers, mut silent) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /healthz HTTP/1.1\r\nx-slow: ")
            .await
            .unwrap();
        silent.push(slow);
        let mut peer = Peer::connect(address).await.unwrap();
        // No END_HEADERS, and no continuation.
        peer.send(&frame(HEADERS, END_STREAM, 1, &GET)).await;
        peers.push(peer);
    }
    for _ in 0..20 {
        for slow in &mut silent {
            let _ = slow.write_all(b"y").await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Attacked::open(peers, silent)
}

async fn idle(address: SocketAddr) -> Attacked {
    let mut opening = JoinSet::new();
    for number in 0..1_000 {
        opening.spawn(async move {
            if number % 2 == 0 {
                (None, TcpStream::connect(address).await.ok())
            } else {
                (Peer::connect(address).await.ok(), None)
            }
        });
    }
    let (mut peers, mut silent) = (Vec::new(), Vec::new());
    for (peer, stream) in opening.join_all().await {
        peers.extend(peer);
        silent.extend(stream);
    }
    assert_eq!(peers.len() + silent.len(), 1_000);
    Attacked::open(peers, silent)
}

async fn half_closed(service: &Service) -> Attacked {
    let (mut peers, mut silent) = (Vec::new(), Vec::new());
    let token = service.token();
    for number in 0..200 {
        if number % 2 == 0 {
            // Its side is closed, and the answer is never read.
            let mut stream = TcpStream::connect(service.address).await.unwrap();
            stream
                .write_all(b"POST /process HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n")
                .await
                .unwrap();
            stream.shutdown().await.unwrap();
            silent.push(stream);
        } else {
            let mut peer = Peer::connect(service.address).await.unwrap();
            let headers = call(Some(&token));
            peer.send(&frame(HEADERS, END_HEADERS, 1, &headers)).await;
            peers.push(peer);
        }
    }
    Attacked::open(peers, silent)
}
