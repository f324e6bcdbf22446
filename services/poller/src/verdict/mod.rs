//! What an answer means for the object: the whole table, and nothing but the table.
//!
//! An object moves only on a status that the worker itself returned. A failure of the transport says nothing about the
//! object: it is retried, or, when every object would meet it, it stops the poll.

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
    /// It stays, and so does everything else: an operator has to fix the wiring first.
    Stop(Stop),
}

/// Why and when to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The pause that the other side asked for.
    pub after: Option<Duration>,
    /// What caused it.
    pub blame: Blame,
    /// For the operator.
    pub why: String,
}

/// What caused a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The worker asked for it: it counts as an attempt of this object.
    Worker,
    /// The time for this object ran out: an attempt, unless the poll's own end cut it short.
    Deadline,
    /// The worker has too much to do and has not looked at the object: never an attempt.
    Busy,
    /// The transport failed between poller and worker: never an attempt; the breaker counts it.
    Transport,
    /// The poll itself ended first. No answer means this.
    Poll,
}

/// Wiring that an operator has to fix before any object can be processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// What happened.
    pub why: String,
    /// The fix.
    pub hint: &'static str,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; fix: {}", self.why, self.hint)
    }
}

const HINT_IDENTITY: &str =
    "check WORKER_AUDIENCE here, and BRIGADE_AUDIENCE and BRIGADE_ALLOWED_CALLERS at the worker";
const HINT_INVOKER: &str =
    "grant this service's account roles/run.invoker on the worker, and check WORKER_AUDIENCE";
const HINT_URL: &str = "check WORKER_URL and BRIGADE_WORKER_PROTOCOL: with grpc the URL is the worker's own origin, reached over \
     HTTP/2, and with http the whole address that takes its POST";
const HINT_METHOD: &str =
    "check WORKER_URL and the worker's version: it does not serve brigade.v1.WorkerService/Process";
const HINT_ANSWER: &str = "have the worker return fewer outputs and labels: a message of brigade.v1 has at most 64 KiB (worker.proto)";
const HINT_CREDENTIALS: &str = "check GOOGLE_APPLICATION_CREDENTIALS or the metadata server";

/// The verdict on an answer.
pub fn verdict(answer: Answer) -> Verdict {
    match answer {
        Answer::Worker(answer) => from_worker(*answer),
        Answer::Transport(error) => from_transport(&error),
        Answer::TimedOut(after) => {
            retry(Blame::Deadline, None, format!("the worker did not answer within {after:?}"))
        }
        // Its status is not known: it comes after the message. The worker would do the same work again for the same answer.
        Answer::TooLarge { key, found } => stop(
            format!("the worker's answer about {} is too large ({found})", key.escape_debug()),
            HINT_ANSWER,
        ),
    }
}

fn from_worker(answer: WorkerAnswer) -> Verdict {
    let WorkerAnswer { code, message, retry_after, response } = answer;
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
        | Code::Unknown => Verdict::Failed(words(code, &message)),
        Code::Unavailable | Code::Aborted | Code::Cancelled => {
            retry(Blame::Worker, retry_after, words(code, &message))
        }
        Code::DeadlineExceeded => retry(Blame::Deadline, retry_after, words(code, &message)),
        Code::ResourceExhausted => retry(Blame::Busy, retry_after, words(code, &message)),
        Code::Unauthenticated | Code::PermissionDenied => stop(
            format!("the worker refused this caller: {}", words(code, &message)),
            HINT_IDENTITY,
        ),
        Code::Unimplemented => stop(words(code, &message), HINT_METHOD),
    }
}

fn from_transport(error: &TransportError) -> Verdict {
    match error {
        TransportError::Http { status, retry_after } => {
            from_http(*status, *retry_after, error.to_string())
        }
        TransportError::Identity { transient, .. } if !transient => {
            stop(error.to_string(), HINT_CREDENTIALS)
        }
        TransportError::Connect(_)
        | TransportError::Reset(_)
        | TransportError::CutShort(_)
        | TransportError::Identity { .. } => retry(Blame::Transport, None, error.to_string()),
    }
}

#[allow(clippy::match_same_arms, reason = "a table is read row by row")]
fn from_http(status: u16, after: Option<Duration>, why: String) -> Verdict {
    match status {
        401 | 403 => stop(why, HINT_INVOKER),
        408 | 425 | 429 | 500..=599 => retry(Blame::Transport, after, why),
        // No front end sends these because of one object: the address or the protocol is wrong.
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

/// The worker's words, or the code's name when there are none.
fn words(code: Code, message: &str) -> String {
    if message.trim().is_empty() {
        format!("{code:?}: {}", code.description())
    } else {
        message.to_owned()
    }
}

#[cfg(test)]
mod tests;
