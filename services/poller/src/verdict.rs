//! What an answer means for the object: the whole table, and nothing but the table.
//!
//! Only the worker's own word moves an object. What failed on the way says nothing about it: it is retried, or, when
//! every object would meet the same fate, it stops the poll.

#![deny(clippy::wildcard_enum_match_arm)]

use std::{fmt, time::Duration};

use brigade_client::answer::{Answer, TransportError, WorkerAnswer};
use brigade_proto::v1::ProcessResponse;
use tonic::Code;

/// What becomes of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The worker accepted it: to the processed location.
    Processed(ProcessResponse),
    /// The worker refused it: to the failed location, with this reason.
    Failed(String),
    /// It stays, and is tried again.
    Retry(Retry),
    /// It stays, and so does everything else: the wiring has to be mended first.
    Stop(Stop),
}

/// Why and when to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How long the other side asked to wait.
    pub after: Option<Duration>,
    /// Whose doing it was.
    pub blame: Blame,
    /// For people.
    pub why: String,
}

/// Whose doing a retry was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The worker asked for it: it counts as an attempt of this object.
    Worker,
    /// The time for this object ran out: an attempt, unless the poll's own end cut it short.
    Deadline,
    /// The worker has too much to do and has not looked at the object: never an attempt.
    Busy,
    /// The way to the worker failed: never an attempt; the breaker counts it.
    Transport,
    /// The poll itself ended first. No answer means this.
    Poll,
}

/// Wiring that has to be mended before any object can be processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// What was met.
    pub why: String,
    /// What to do.
    pub hint: &'static str,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.why, self.hint)
    }
}

const HINT_IDENTITY: &str =
    "Check WORKER_AUDIENCE here, and BRIGADE_AUDIENCE and BRIGADE_ALLOWED_CALLERS at the worker";
const HINT_INVOKER: &str =
    "Grant this service's account roles/run.invoker on the worker, and check WORKER_AUDIENCE";
const HINT_URL: &str = "Check WORKER_URL and BRIGADE_WORKER_PROTOCOL: with grpc the URL is the worker's own origin, reached over \
     HTTP/2, and with http the whole address that takes its POST";
const HINT_METHOD: &str =
    "Check WORKER_URL and the worker's version: it does not serve brigade.v1.WorkerService/Process";
const HINT_ANSWER: &str = "Have the worker name fewer outputs and labels: a message of brigade.v1 has at most 64 KiB (worker.proto), and no \
     more is read";
const HINT_CREDENTIALS: &str = "Check GOOGLE_APPLICATION_CREDENTIALS or the metadata server";

/// The verdict on an answer.
pub fn verdict(answer: Answer) -> Verdict {
    match answer {
        Answer::Worker(answer) => of_worker(*answer),
        Answer::Transport(way) => of_way(&way),
        Answer::TimedOut(after) => retry(
            Blame::Deadline,
            None,
            format!("the worker gave no answer within {after:?}"),
        ),
        // Its status is not known: it comes after the message. Asked again, the worker would do the work again for the same.
        Answer::TooLarge { key, found } => stop(
            format!(
                "the worker's answer about {} is too large ({found})",
                key.escape_debug()
            ),
            HINT_ANSWER,
        ),
    }
}

fn of_worker(answer: WorkerAnswer) -> Verdict {
    let WorkerAnswer {
        code,
        message,
        retry_after,
        response,
    } = answer;
    match code {
        Code::Ok => Verdict::Processed(response),
        // UNKNOWN is what an uncaught exception in a Python or Java worker becomes.
        Code::Internal
        | Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::DataLoss
        | Code::NotFound
        | Code::AlreadyExists
        | Code::Unknown => Verdict::Failed(said(code, &message)),
        Code::Unavailable | Code::Aborted | Code::Cancelled => {
            retry(Blame::Worker, retry_after, said(code, &message))
        }
        Code::DeadlineExceeded => retry(Blame::Deadline, retry_after, said(code, &message)),
        Code::ResourceExhausted => retry(Blame::Busy, retry_after, said(code, &message)),
        Code::Unauthenticated | Code::PermissionDenied => stop(
            format!("the worker refused us: {}", said(code, &message)),
            HINT_IDENTITY,
        ),
        Code::Unimplemented => stop(said(code, &message), HINT_METHOD),
    }
}

fn of_way(way: &TransportError) -> Verdict {
    match way {
        TransportError::Connect(_) | TransportError::Reset(_) | TransportError::CutShort(_) => {
            retry(Blame::Transport, None, way.to_string())
        }
        TransportError::Http {
            status,
            retry_after,
        } => of_http(*status, *retry_after, way.to_string()),
        TransportError::Identity {
            transient: true, ..
        } => retry(Blame::Transport, None, way.to_string()),
        TransportError::Identity {
            transient: false, ..
        } => stop(way.to_string(), HINT_CREDENTIALS),
    }
}

#[allow(clippy::match_same_arms, reason = "a table is read row by row")]
fn of_http(status: u16, after: Option<Duration>, why: String) -> Verdict {
    match status {
        401 | 403 => stop(why, HINT_INVOKER),
        408 | 425 | 429 | 500..=599 => retry(Blame::Transport, after, why),
        // A status that no front end sends for one object in particular: a wrong address or protocol.
        300..=499 => stop(why, HINT_URL),
        0..=299 | 600.. => retry(Blame::Transport, after, why),
    }
}

fn retry(blame: Blame, after: Option<Duration>, why: String) -> Verdict {
    Verdict::Retry(Retry { after, blame, why })
}

fn stop(why: String, hint: &'static str) -> Verdict {
    Verdict::Stop(Stop { why, hint })
}

/// The worker's words, or the code's name when it said nothing.
fn said(code: Code, message: &str) -> String {
    if message.trim().is_empty() {
        format!("{code:?}: {}", code.description())
    } else {
        message.to_owned()
    }
}

#[cfg(test)]
mod tests;
