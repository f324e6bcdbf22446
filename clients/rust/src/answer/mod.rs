//! What came back from a worker, and whether it was the worker's own word.
//!
//! An answer is the worker's own when a `grpc-status` really came over the wire. tonic makes statuses up for
//! everything else (an HTML page of a front end, a stream cut short, a refused connection), and a status that it made
//! up must never move a file.

mod body;
mod classify;
mod layer;
mod record;
mod service;

use std::{fmt, time::Duration};

use brigade_proto::v1::ProcessResponse;
use tonic::{Code, Status};

pub use body::RecordedBody;
pub use classify::classify;
pub use layer::RecordLayer;
pub use record::{Record, Wire, WireError};
pub(crate) use record::{causes, chain};
pub use service::{CallError, Recorder};

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The worker's own word.
    Worker(Box<WorkerAnswer>),
    /// The call failed on its way: it says nothing about the object.
    Transport(TransportError),
    /// Our own timer for this object ran out after this long.
    TimedOut(Duration),
    /// A worker answered with a message over the limit, which is not read, and so neither is the status that would come
    /// after it. It is nobody's word about the object, and asking again would bring the same.
    TooLarge {
        /// The idempotency key that was asked about: `bucket/name#generation`.
        key: String,
        /// How much it is, and how much it may be.
        found: String,
    },
}

/// The worker's own word.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerAnswer {
    /// The status that came over the wire.
    pub code: Code,
    /// The worker's message; empty when it accepted the object.
    pub message: String,
    /// When the worker wants to be asked again (`google.rpc.RetryInfo`, `Retry-After`).
    pub retry_after: Option<Duration>,
    /// What it did; the default unless the code is OK.
    pub response: ProcessResponse,
}

/// How a call failed on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportError {
    /// No connection: refused, DNS, TLS. The request was not sent.
    Connect(String),
    /// The connection or the stream broke before any response: the worker may have done the work.
    Reset(String),
    /// An HTTP status of something before the worker, without a `grpc-status`; or one of an HTTP worker that something
    /// before it says too.
    Http {
        /// The HTTP status code.
        status: u16,
        /// Its `Retry-After`, when there was one in seconds.
        retry_after: Option<Duration>,
    },
    /// A 200 that ended without `grpc-status`, or whose message could not be read: the worker may have done the work.
    CutShort(String),
    /// We could not get a token to ask with.
    Identity {
        /// What was tried and how to mend it.
        message: String,
        /// Whether it can heal by itself, such as a metadata server that answers 503.
        transient: bool,
    },
}

impl Answer {
    /// The worker accepted the object.
    pub fn ok(response: ProcessResponse) -> Self {
        Self::Worker(Box::new(WorkerAnswer {
            code: Code::Ok,
            message: String::new(),
            retry_after: None,
            response,
        }))
    }

    /// The worker answered with this status.
    pub fn status(code: Code, message: impl Into<String>) -> Self {
        Self::Worker(Box::new(WorkerAnswer {
            code,
            message: message.into(),
            retry_after: None,
            response: ProcessResponse::default(),
        }))
    }
}

impl Answer {
    /// As gRPC's own result, for whoever only wants to know whether it is done.
    ///
    /// What failed on its way is `UNAVAILABLE`, `UNAUTHENTICATED` or `PERMISSION_DENIED` for a token that something before
    /// the worker refused, `UNIMPLEMENTED` for a URL that is no worker's, `DEADLINE_EXCEEDED` when the budget ran out, and
    /// `OUT_OF_RANGE` for an answer that is too large.
    pub fn into_result(self) -> Result<ProcessResponse, Status> {
        match self {
            Self::Worker(answer) if answer.code == Code::Ok => Ok(answer.response),
            Self::Worker(answer) => Err(Status::new(answer.code, answer.message)),
            Self::Transport(error) => Err(Status::new(error.code(), error.to_string())),
            Self::TimedOut(budget) => Err(Status::deadline_exceeded(format!(
                "the worker did not answer within {budget:?}"
            ))),
            Self::TooLarge { key, found } => Err(Status::out_of_range(format!(
                "the worker's answer about {} is too large: {found}",
                key.escape_debug()
            ))),
        }
    }
}

impl TransportError {
    fn code(&self) -> Code {
        match self {
            Self::Connect(_) | Self::Reset(_) | Self::CutShort(_) => Code::Unavailable,
            Self::Http { status, .. } => match status {
                401 => Code::Unauthenticated,
                403 => Code::PermissionDenied,
                429 | 500.. => Code::Unavailable,
                _ => Code::Unimplemented,
            },
            Self::Identity { transient, .. } if *transient => Code::Unavailable,
            Self::Identity { .. } => Code::Unauthenticated,
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(why) => write!(f, "cannot connect to the worker: {why}"),
            Self::Reset(why) => write!(f, "the connection broke before an answer: {why}"),
            Self::Http { status, .. } => write!(
                f,
                "HTTP {status}, which is not surely the worker's own word"
            ),
            Self::CutShort(why) => write!(f, "the answer was cut short: {why}"),
            Self::Identity { message, .. } => write!(f, "no ID token for the worker: {message}"),
        }
    }
}
