//! What an answer means for the object: the whole table, and nothing but the table.
//!
//! An object moves only on a status that the worker itself returned, or after calls that it ended again and again. A
//! failure of the transport says nothing about the object: it is retried, or, when every object would meet it, it stops
//! the poll.

#![deny(clippy::wildcard_enum_match_arm)]

use std::{fmt, time::Duration};

use brigade_client::answer::{Answer, TransportError, WorkerAnswer};
use brigade_proto::v1::ProcessResponse;
use tonic::Code;

/// What an answer means, before other answers are looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The worker accepted it: to the processed location.
    Processed(ProcessResponse),
    /// The worker refused it: to the failed location.
    Failed(Refusal),
    /// It stays, and is tried again.
    Retry(Retry),
    /// The wiring is wrong, or it is this object: what other objects get decides.
    Doubtful(Doubt),
    /// It stays, and so does everything else: an operator has to fix the wiring first.
    Stop(Stop),
}

/// A refusal of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The worker's message.
    pub reason: String,
    /// The worker looked at the content and does not take it (`INVALID_ARGUMENT`), rather than failed on it.
    pub is_deliberate: bool,
    /// An HTTP status that a service of another kind returns too: while nothing was ever accepted, the URL may be wrong.
    pub doubt: Option<Doubt>,
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
    /// The worker asked for it: an attempt of this object, unless it asks for every object alike.
    Worker,
    /// The worker asks for time for every object: never an attempt.
    WorkerWide,
    /// Storage did not let the worker read the object, or write an output: never an attempt.
    Storage,
    /// The time for this object ran out: an attempt, unless the poll's own end cut it short.
    Deadline,
    /// The worker has too much to do and has not looked at the object: never an attempt.
    Busy,
    /// The call never reached the worker, or the worker's server ended it: never an attempt; the breaker counts it.
    Transport,
    /// The call was sent, and the worker or its connection ended before the answer: the object may have caused it.
    Lost,
    /// An answer that may be about the wiring, but others were answered meanwhile: an attempt.
    Doubt,
    /// The same, before other objects were asked: not an attempt yet.
    EarlyDoubt,
    /// The poll itself ended first. No answer means this.
    Poll,
}

// === impl Blame ===

impl Blame {
    /// For metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::WorkerWide => "worker_wide",
            Self::Storage => "storage",
            Self::Deadline => "deadline",
            Self::Busy => "busy",
            Self::Transport => "transport",
            Self::Lost => "lost",
            Self::Doubt => "doubt",
            Self::EarlyDoubt => "early_doubt",
            Self::Poll => "poll",
        }
    }
}

/// An answer that every object gets when the wiring is wrong, and that one odd object may get when it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Equal for answers that have the same cause.
    pub cause: Cause,
    /// What an operator has to fix if it is the wiring.
    pub stop: Stop,
}

/// What a doubtful answer was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A status of the worker.
    Status(Code),
    /// An HTTP status that is not a worker's.
    Http(u16),
    /// A message over the limit.
    TooLarge,
    /// A web page.
    Page,
    /// An answer that is compressed in another way than gzip.
    Encoding,
    /// An HTTP status that refuses the request.
    Refusal(u16),
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
        // A worker that knows what is wrong says the fix itself.
        if self.why.contains("fix: ") {
            return f.write_str(&self.why);
        }
        write!(f, "{}; fix: {}", self.why, self.hint)
    }
}

const HINT_IDENTITY: &str =
    "check WORKER_AUDIENCE here, and BRIGADE_AUDIENCE and BRIGADE_ALLOWED_CALLERS at the worker";
const HINT_PERMISSION: &str = "give the worker what it may not do, or, if it refuses this caller, check WORKER_AUDIENCE here, and \
     BRIGADE_ALLOWED_CALLERS at the worker";
const HINT_INVOKER: &str =
    "grant this service's account roles/run.invoker on the worker, and check WORKER_AUDIENCE";
const HINT_URL: &str = "check WORKER_URL and BRIGADE_WORKER_PROTOCOL: with grpc the URL is the worker's own origin, reached over \
     HTTP/2, and with http the whole address that takes its POST";
const HINT_METHOD: &str =
    "check WORKER_URL and the worker's version: it does not serve brigade.v1.WorkerService/Process";
const HINT_ANSWER: &str = "have the worker return fewer outputs and labels: a message of brigade.v1 has at most 64 KiB (worker.proto)";
const HINT_ENCODING: &str = "have the worker send its answers as they are, or compressed with gzip";
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
        Answer::TooLarge { key, found } => doubtful(
            Cause::TooLarge,
            format!("the worker's answer about {} is too large ({found})", key.escape_debug()),
            HINT_ANSWER,
        ),
    }
}

fn from_worker(answer: WorkerAnswer) -> Verdict {
    let WorkerAnswer { code, message, retry_after, response, http_status, is_storage, .. } = answer;
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
        | Code::Unknown => {
            let reason = words(code, &message);
            let doubt =
                http_status.filter(|status| (400..500).contains(status)).map(|status| Doubt {
                    cause: Cause::Refusal(status),
                    stop: Stop { why: reason.clone(), hint: HINT_URL },
                });
            // Any service may return such an HTTP status, for a field that it misses in every request.
            let is_deliberate = code == Code::InvalidArgument && doubt.is_none();
            Verdict::Failed(Refusal { reason, is_deliberate, doubt })
        }
        Code::Unavailable if is_storage => {
            retry(Blame::Storage, retry_after, words(code, &message))
        }
        Code::Unavailable | Code::Aborted | Code::Cancelled => {
            retry(Blame::Worker, retry_after, words(code, &message))
        }
        Code::DeadlineExceeded => retry(Blame::Deadline, retry_after, words(code, &message)),
        Code::ResourceExhausted => retry(Blame::Busy, retry_after, words(code, &message)),
        Code::Unauthenticated => {
            let why = format!("the worker refused this caller: {}", words(code, &message));
            stop(why, HINT_IDENTITY)
        }
        Code::PermissionDenied => {
            let why = format!("the worker refused the call: {}", words(code, &message));
            doubtful(Cause::Status(code), why, HINT_PERMISSION)
        }
        Code::Unimplemented => doubtful(Cause::Status(code), words(code, &message), HINT_METHOD),
    }
}

fn from_transport(error: &TransportError) -> Verdict {
    let why = error.to_string();
    match error {
        TransportError::Http { status, retry_after } => from_http(*status, *retry_after, why),
        TransportError::Identity { transient, .. } if !transient => stop(why, HINT_CREDENTIALS),
        TransportError::Page { .. } => doubtful(Cause::Page, why, HINT_URL),
        TransportError::Encoding(_) => doubtful(Cause::Encoding, why, HINT_ENCODING),
        TransportError::Connect(_)
        | TransportError::NotSent(_)
        | TransportError::Ended(_)
        | TransportError::Identity { .. } => retry(Blame::Transport, None, why),
        TransportError::Reset(_) | TransportError::CutShort(_) => retry(Blame::Lost, None, why),
    }
}

#[allow(clippy::match_same_arms, reason = "a table is read row by row")]
fn from_http(status: u16, after: Option<Duration>, why: String) -> Verdict {
    match status {
        401 => stop(why, HINT_INVOKER),
        403 => doubtful(Cause::Http(status), why, HINT_INVOKER),
        429 => retry(Blame::Busy, after, why),
        503 if after.is_some() => retry(Blame::Busy, after, why),
        // What Cloud Run's front end returns when the container ended under a request.
        500 | 502 | 503 | 504 => retry(Blame::Lost, after, why),
        408 | 425 | 500..=599 => retry(Blame::Transport, after, why),
        300..=499 => doubtful(Cause::Http(status), why, HINT_URL),
        0..=299 | 600.. => retry(Blame::Transport, after, why),
    }
}

fn retry(blame: Blame, after: Option<Duration>, why: String) -> Verdict {
    Verdict::Retry(Retry { after, blame, why })
}

fn stop(why: String, hint: &'static str) -> Verdict {
    Verdict::Stop(Stop { why, hint })
}

fn doubtful(cause: Cause, why: String, hint: &'static str) -> Verdict {
    Verdict::Doubtful(Doubt { cause, stop: Stop { why, hint } })
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
