//! What can happen to a call of the worker that says nothing about its object: every row of the verdict table that is
//! neither an acceptance, nor a refusal, nor a plea for time.

use std::time::Duration;

use brigade_client::answer::{Answer, TransportError, WorkerAnswer};
use brigade_proto::v1::ProcessResponse;
use fastrand::Rng;
use tokio::time::Instant;
use tonic::Code;

use crate::schedule::Schedule;

/// Statuses that refuse an object.
pub(crate) const REFUSALS: [Code; 8] = [
    Code::Internal,
    Code::InvalidArgument,
    Code::FailedPrecondition,
    Code::OutOfRange,
    Code::DataLoss,
    Code::NotFound,
    Code::AlreadyExists,
    Code::Unknown,
];

/// Statuses that ask for time at the price of an attempt.
pub(crate) const LATER: [Code; 4] =
    [Code::Unavailable, Code::Aborted, Code::Cancelled, Code::DeadlineExceeded];

/// Statuses that say that the wiring is wrong.
const WIRING: [Code; 3] = [Code::Unauthenticated, Code::PermissionDenied, Code::Unimplemented];

/// HTTP statuses of a front end: transient ones, and those that an operator has to fix.
const PAGES: [u16; 12] = [429, 500, 502, 503, 504, 408, 401, 403, 404, 400, 405, 302];

/// How rough the transport to the worker is.
#[derive(Debug)]
pub(crate) struct Weather {
    lost: u16,
    astray: u16,
    /// When the worker's process goes, and when it is back.
    outages: Vec<(Instant, Instant)>,
}

/// What comes in place of the worker's word.
#[derive(Clone, Debug)]
pub(crate) struct Storm {
    pub(crate) answer: Answer,
    /// Whether the worker did its work all the same.
    pub(crate) after_the_work: bool,
    /// An answer about something else, rather than none.
    pub(crate) is_astray: bool,
}

// === impl Weather ===

impl Weather {
    /// The weather of a run that begins now.
    pub(crate) fn new(schedule: &Schedule) -> Self {
        let mut rng = schedule.rng("outages");
        let outages = (0..schedule.outages).map(|_| {
            let from = Instant::now() + Duration::from_millis(rng.u64(0..300_000));
            (from, from + Duration::from_millis(rng.u64(1_000..120_000)))
        });
        Self { lost: schedule.lost, astray: schedule.astray, outages: outages.collect() }
    }

    /// When the process is gone next: now, when it is away.
    pub(crate) fn next_death(&self, now: Instant) -> Option<Instant> {
        let ahead = self.outages.iter().filter(|(_, back)| *back > now);
        ahead.map(|(from, _)| (*from).max(now)).min()
    }

    /// Whether something happens to this call, and what.
    pub(crate) fn storm(&self, rng: &mut Rng) -> Option<Storm> {
        if rng.u16(0..1_000) < self.lost {
            return Some(Storm {
                answer: broken(rng),
                after_the_work: rng.bool(),
                is_astray: false,
            });
        }
        (rng.u16(0..1_000) < self.astray).then(|| Storm {
            answer: beside_the_point(rng),
            after_the_work: false,
            is_astray: true,
        })
    }
}

/// The worker's process is not there, or went while it worked.
pub(crate) fn gone(meanwhile: bool) -> Answer {
    Answer::Transport(if meanwhile {
        TransportError::Reset("the worker died".into())
    } else {
        TransportError::Connect("refused".into())
    })
}

/// Asks for time; half of the time says how much, and sometimes far more than a poll has.
pub(crate) fn wishing(code: Code, rng: &mut Rng) -> Answer {
    let wish = match rng.u8(0..8) {
        0..4 => Some(Duration::from_secs(rng.u64(0..60))),
        4 => Some(Duration::from_hours(9)),
        _ => None,
    };
    asking(code, wish, false)
}

/// Asks for so much time, because of storage or because of something else.
pub(crate) fn asking(code: Code, retry_after: Option<Duration>, is_storage: bool) -> Answer {
    Answer::Worker(Box::new(WorkerAnswer {
        code,
        message: "later".into(),
        retry_after,
        response: ProcessResponse::default(),
        http_status: None,
        is_storage,
        kind: String::new(),
        exit: String::new(),
    }))
}

fn broken(rng: &mut Rng) -> Answer {
    Answer::Transport(match rng.u8(0..4) {
        0 => TransportError::Connect("refused".into()),
        1 => TransportError::Reset("reset".into()),
        2 => TransportError::CutShort("no grpc-status".into()),
        _ => TransportError::Http { status: 503, retry_after: None },
    })
}

fn beside_the_point(rng: &mut Rng) -> Answer {
    match rng.u8(0..6) {
        0..2 => wishing(Code::ResourceExhausted, rng),
        2 => Answer::status(WIRING[rng.usize(0..WIRING.len())], "not you"),
        3 => Answer::Transport(TransportError::Identity {
            message: "no token".into(),
            transient: rng.bool(),
        }),
        _ => Answer::Transport(TransportError::Http {
            status: PAGES[rng.usize(0..PAGES.len())],
            retry_after: rng.bool().then(|| Duration::from_secs(rng.u64(0..90))),
        }),
    }
}
