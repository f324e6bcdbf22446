//! What came back from a worker, and whether the worker itself returned it.
//!
//! A status is the worker's own when a `grpc-status` arrived on the wire. tonic makes up a status for everything else (an
//! HTML page of a front end, a stream cut short, a refused connection), and a made-up status must never move a file.

mod classify;
mod record;
mod recorder;
mod text;

use std::{fmt, time::Duration};

use brigade_proto::v1::ProcessResponse;
use brigade_telemetry::code_name;
use tonic::{Code, Status};

pub use classify::classify;
pub use record::{Record, Wire, WireError};
pub(crate) use record::{chain, retry_after};
pub use recorder::{CallError, RecordedBody, Recorder};
pub(crate) use text::shorten;

/// The reason of a worker whose storage did not answer, in `google.rpc.ErrorInfo` or in the JSON of an HTTP worker.
pub(crate) const STORAGE_UNAVAILABLE: &str = "STORAGE_UNAVAILABLE";

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A status that the worker itself returned.
    Worker(Box<WorkerAnswer>),
    /// The transport failed: that says nothing about the object.
    Transport(TransportError),
    /// Our own timer for this object ran out after this long.
    TimedOut(Duration),
    /// The worker's message is over the limit. Neither it nor the status after it is read, so nothing is known about the
    /// object, and a retry would get the same.
    TooLarge {
        /// The idempotency key that was asked about: `bucket/name#generation`.
        key: String,
        /// The message's size and the limit.
        found: String,
    },
}

/// A status that the worker itself returned.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerAnswer {
    /// The status that came over the wire.
    pub code: Code,
    /// The worker's message, shortened to 2 KiB; empty when it accepted the object.
    pub message: String,
    /// When the worker asks to be called again (`google.rpc.RetryInfo`, `Retry-After`).
    pub retry_after: Option<Duration>,
    /// The response; the default unless the code is OK.
    pub response: ProcessResponse,
    /// The HTTP status of a worker that is called over HTTP.
    pub http_status: Option<u16>,
    /// Storage did not let the worker read the object or write an output, for a reason that may pass
    /// (`google.rpc.ErrorInfo` with the reason `STORAGE_UNAVAILABLE`).
    pub is_storage: bool,
    /// A short name by which failures are grouped, if the worker gave one (the entry `kind` of `ErrorInfo`).
    pub kind: String,
    /// How the worker's program ended, such as `exit status 3` (the entry `exit` of `ErrorInfo`).
    pub exit: String,
}

/// How the transport failed between poller and worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportError {
    /// No connection: refused, DNS, TLS. The request was not sent.
    Connect(String),
    /// The worker's server did not take the request (RFC 9113, section 8.7): it can be sent again without risk.
    NotSent(String),
    /// The connection or the stream broke before any response: the worker may have done the work.
    Reset(String),
    /// The worker's server ended the call, with a text of its gRPC library: it stops gracefully, or its connection has
    /// reached its age.
    Ended(String),
    /// An HTTP status without a `grpc-status`, so not from the worker; or one that an HTTP worker and a front end both use.
    Http {
        /// The HTTP status code.
        status: u16,
        /// Its `Retry-After`, when there was one in seconds.
        retry_after: Option<Duration>,
    },
    /// An HTML page where a worker's answer was expected: a sign-in page, or another service.
    Page {
        /// The HTTP status code.
        status: u16,
        /// The page's title.
        title: String,
    },
    /// The worker compressed its answer in a way that this client does not read.
    Encoding(String),
    /// A 200 that ended without `grpc-status`, or whose message could not be read: the worker may have done the work.
    CutShort(String),
    /// There is no ID token for the call.
    Identity {
        /// What was tried, and the fix.
        message: String,
        /// Whether it can pass by itself, such as a metadata server that returns 503.
        transient: bool,
    },
}

// === impl Answer ===

impl Answer {
    /// The worker's status, or what there is instead of one: for spans and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Worker(answer) => code_name(answer.code.into()),
            Self::Transport(_) => "transport",
            Self::TimedOut(_) => "timeout",
            Self::TooLarge { .. } => "too_large",
        }
    }

    /// The worker accepted the object.
    pub fn ok(response: ProcessResponse) -> Self {
        Self::Worker(Box::new(WorkerAnswer {
            code: Code::Ok,
            message: String::new(),
            retry_after: None,
            response,
            http_status: None,
            is_storage: false,
            kind: String::new(),
            exit: String::new(),
        }))
    }

    /// The worker answered with this status.
    pub fn status(code: Code, message: impl Into<String>) -> Self {
        Self::refused(code, message, None)
    }

    pub(crate) fn refused(
        code: Code,
        message: impl Into<String>,
        retry_after: Option<Duration>,
    ) -> Self {
        Self::Worker(Box::new(WorkerAnswer {
            code,
            message: shorten(message.into()),
            retry_after,
            response: ProcessResponse::default(),
            http_status: None,
            is_storage: false,
            kind: String::new(),
            exit: String::new(),
        }))
    }

    /// The same answer, from a worker that is called over HTTP.
    pub(crate) fn over_http(mut self, status: u16) -> Self {
        if let Self::Worker(answer) = &mut self {
            answer.http_status = Some(status);
        }
        self
    }

    /// The same answer, with the worker's reason and the details of it.
    pub(crate) fn because<'a>(
        mut self,
        reason: &str,
        detail: impl Fn(&str) -> Option<&'a str>,
    ) -> Self {
        if let Self::Worker(answer) = &mut self {
            let detail = |name| shorten(detail(name).unwrap_or_default().to_owned());
            answer.is_storage = reason == STORAGE_UNAVAILABLE;
            answer.kind = detail("kind");
            answer.exit = detail("exit");
        }
        self
    }

    /// The answer as gRPC's usual result.
    ///
    /// A transport failure is `UNAVAILABLE`; `UNAUTHENTICATED` or `PERMISSION_DENIED` when a front end refused the token;
    /// `UNIMPLEMENTED` when the URL is not a worker's. A budget that ran out is `DEADLINE_EXCEEDED`, and an answer that is
    /// too large `OUT_OF_RANGE`.
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
            Self::Connect(_)
            | Self::NotSent(_)
            | Self::Reset(_)
            | Self::Ended(_)
            | Self::CutShort(_) => Code::Unavailable,
            Self::Page { .. } | Self::Encoding(_) => Code::Unimplemented,
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
            Self::NotSent(why) => write!(f, "the worker's server did not take the call: {why}"),
            Self::Reset(why) => {
                write!(f, "the connection to the worker broke before it answered: {why}")
            }
            Self::Ended(why) => write!(f, "the worker's server ended the call: {why}"),
            Self::Page { status, title } => {
                write!(f, "HTTP {status} with a web page instead of an answer: {title:?}")
            }
            Self::Http { status, .. } => {
                write!(f, "HTTP {status}, which may not come from the worker itself")
            }
            Self::Encoding(encoding) => {
                write!(
                    f,
                    "the worker's answer is compressed with {encoding:?}, which is not read here"
                )
            }
            Self::CutShort(why) => write!(f, "the worker's answer was cut short: {why}"),
            Self::Identity { message, .. } => write!(f, "no ID token for the worker: {message}"),
        }
    }
}
