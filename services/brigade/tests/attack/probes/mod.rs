//! What a hostile client may do. Each is bounded in what it sends and in how long it waits.

mod descriptors;
mod floods;
mod messages;
mod oddities;
mod refused;
mod slow;
mod strangers;

use tokio::{io::AsyncReadExt as _, net::TcpStream, task::JoinSet};

use crate::{
    caller::Caller,
    service::Service,
    wire::{ACK, END_HEADERS, END_STREAM, HEADERS, PING, Peer, frame, literal},
};

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
    /// Messages of 60 KB that unpack to 60 MiB, and of 500 KB that unpack to 512 MiB.
    Bomb,
    /// A thousand checks of the health that never end.
    OpenChecks,
    /// A thousand answers for which their client has no room.
    NoWindow,
    /// Headers a byte at a time, and headers that stop in the middle.
    SlowHeaders,
    /// A thousand connections that say nothing, or hello and nothing more.
    Idle,
    /// Connections whose client has closed its side, and streams whose client has not.
    HalfClosed,
    /// 3,000 calls without a token and with bodies of 20 kB, on a connection that carries a good call too.
    RefusedBodies,
    /// Requests over HTTP/1.1 that two readers could understand differently, or none.
    Oddities,
    /// More silent connections than descriptors, opened again as soon as they are closed.
    Descriptors,
}

pub(crate) const ALL: [Probe; 17] = [
    Probe::Malformed,
    Probe::RapidReset,
    Probe::NeverEnded,
    Probe::Continuation,
    Probe::LongHeaders,
    Probe::EmptyData,
    Probe::Unread,
    Probe::LengthPrefix,
    Probe::Bomb,
    Probe::OpenChecks,
    Probe::NoWindow,
    Probe::SlowHeaders,
    Probe::Idle,
    Probe::HalfClosed,
    Probe::RefusedBodies,
    Probe::Oddities,
    Probe::Descriptors,
];

// === impl Probe ===

impl Probe {
    /// How much the service may take in before it closes the connection; nothing when it need not close it.
    pub(crate) fn closed_within(self) -> Option<usize> {
        use Probe::{Continuation, EmptyData, Malformed, NeverEnded, RapidReset};
        let closed = [Malformed, RapidReset, NeverEnded, Continuation, EmptyData];
        closed.contains(&self).then_some(200)
    }

    /// How many file descriptors the service has.
    pub(crate) fn descriptors(self) -> Option<usize> {
        (self == Self::Descriptors).then_some(1_024)
    }

    /// Attacks, and says whether the service closed the connection by itself, where one should be.
    pub(crate) async fn run(self, service: &Service) -> Attacked {
        let address = service.address;
        match self {
            Self::Malformed => {
                floods::reset(address, |stream| {
                    frame(HEADERS, END_STREAM | END_HEADERS, stream, &[0x84])
                })
                .await
            }
            Self::RapidReset => floods::taken_back(address).await,
            Self::NeverEnded => {
                floods::reset(address, |stream| frame(HEADERS, END_HEADERS, stream, &call(None)))
                    .await
            }
            Self::Continuation => floods::continuations(address).await,
            Self::LongHeaders => floods::long_headers(address).await,
            Self::EmptyData => floods::empty_pieces(address, &service.token()).await,
            Self::Unread => floods::unread(address).await,
            Self::LengthPrefix => messages::length_prefix(address).await,
            Self::Bomb => messages::bomb(service).await,
            Self::OpenChecks => strangers::open_checks(service).await,
            Self::NoWindow => strangers::no_window(service).await,
            Self::SlowHeaders => slow::slow_headers(address).await,
            Self::Idle => slow::idle(address).await,
            Self::HalfClosed => slow::half_closed(service).await,
            Self::RefusedBodies => refused::bodies(service).await,
            Self::Oddities => oddities::run(address).await,
            Self::Descriptors => descriptors::run(service).await,
        }
    }
}

/// What came of an attack. The connections stay open until it is dropped.
#[derive(Default)]
pub(crate) struct Attacked {
    /// What the service took in before it closed the connection: requests, or frames where all are of one request. Nothing
    /// when it has not closed it, or need not.
    pub(crate) closed_after: Option<usize>,
    open: Vec<Peer>,
    silent: Vec<TcpStream>,
    _callers: Vec<Caller>,
}

impl Attacked {
    fn closed(closed_after: Option<usize>) -> Self {
        Self { closed_after, ..Self::default() }
    }

    fn open(open: Vec<Peer>, silent: Vec<TcpStream>) -> Self {
        Self { open, silent, ..Self::default() }
    }

    fn calling(callers: Vec<Caller>) -> Self {
        Self { _callers: callers, ..Self::default() }
    }

    /// Waits until the service has closed every connection. Every second one answers its pings meanwhile.
    #[allow(dead_code, reason = "the bench waits for it, the tests do not")]
    pub(crate) async fn all_closed(self) {
        let mut closing = JoinSet::new();
        for (number, mut peer) in self.open.into_iter().enumerate() {
            closing.spawn(async move {
                while let Some(came) = peer.next().await {
                    if came.kind == PING && number % 2 == 0 {
                        peer.send(&frame(PING, ACK, 0, &came.payload)).await;
                    }
                }
            });
        }
        for mut stream in self.silent {
            closing.spawn(async move {
                let mut rest = Vec::new();
                // A reset is an end too.
                let _ = stream.read_to_end(&mut rest).await;
            });
        }
        closing.join_all().await;
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
