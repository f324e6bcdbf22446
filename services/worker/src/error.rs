//! Why an object was not processed, and what that means for it.

use std::time::Duration;

use brigade_storage::{Error as StorageError, Kind};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// When nothing better is known.
const SOON: Duration = Duration::from_secs(10);

/// The longest message; it travels in a header, and becomes the object's metadata.
const MAX_MESSAGE: usize = 4096;

/// Why an object was not processed. The constructors say what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ProcessError {
    kind: Meaning,
    message: String,
    retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Refused,
    Internal,
    Later,
    Busy,
    Superseded,
    TimedOut,
    Forbidden,
}

impl ProcessError {
    fn new(kind: Meaning, message: impl Into<String>, retry_after: Option<Duration>) -> Self {
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        Self {
            kind,
            message,
            retry_after,
        }
    }

    /// The object is not what it should be: it goes to the failed location. Say where and what: the file's line, its
    /// column, the value.
    pub fn refuse(message: impl Into<String>) -> Self {
        Self::new(Meaning::Refused, message, None)
    }

    /// The processor broke on this object: it goes to the failed location.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Meaning::Internal, message, None)
    }

    /// Something else is needed first: the object stays, and is tried again after this time or later.
    pub fn retry_after(delay: Duration, message: impl Into<String>) -> Self {
        Self::new(Meaning::Later, message, Some(delay))
    }

    /// As many objects as can be are being processed: it stays, and is tried again.
    pub(crate) fn busy() -> Self {
        Self::new(
            Meaning::Busy,
            "this worker is processing as many objects as it may",
            Some(Duration::from_secs(1)),
        )
    }

    /// The object was replaced or removed meanwhile: what is there now comes in its turn.
    pub(crate) fn superseded(message: impl Into<String>) -> Self {
        Self::new(Meaning::Superseded, message, None)
    }

    /// The deadline passed.
    pub(crate) fn timed_out() -> Self {
        Self::new(
            Meaning::TimedOut,
            "the deadline passed before the work was done",
            None,
        )
    }
}

/// A storage call of the worker that failed. Only the object itself can be blamed for what only it can cause.
impl From<StorageError> for ProcessError {
    fn from(error: StorageError) -> Self {
        let message = format!("the worker {error}");
        match error.kind() {
            Kind::NotFound | Kind::Precondition => Self::superseded(message),
            // A worker without a role would refuse every object: this ends the poll, and nothing moves.
            Kind::PermissionDenied | Kind::Unauthenticated | Kind::NoBucket => {
                Self::new(Meaning::Forbidden, message, None)
            }
            Kind::Busy { retry_after } => Self::retry_after(retry_after.unwrap_or(SOON), message),
            Kind::Unknown => Self::retry_after(SOON, message),
            Kind::Held | Kind::Invalid => Self::internal(message),
        }
    }
}

impl From<ProcessError> for Status {
    fn from(error: ProcessError) -> Self {
        let code = match error.kind {
            Meaning::Refused => Code::InvalidArgument,
            Meaning::Internal => Code::Internal,
            Meaning::Later => Code::Unavailable,
            Meaning::Busy => Code::ResourceExhausted,
            Meaning::Superseded => Code::Aborted,
            Meaning::TimedOut => Code::DeadlineExceeded,
            Meaning::Forbidden => Code::PermissionDenied,
        };
        match error.retry_after {
            Some(delay) => {
                let details = ErrorDetails::with_retry_info(Some(delay));
                Self::with_error_details(code, error.message, details)
            }
            None => Self::new(code, error.message),
        }
    }
}

impl ProcessError {
    /// The HTTP status and the seconds of `Retry-After` that say the same (200 and 500 are the plain HTTP worker's).
    pub(crate) fn http(&self) -> (u16, Option<u64>) {
        let seconds = |delay: Duration| delay.as_secs_f64().ceil().max(1.0);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it saturates, and is at least 1"
        )]
        let retry_after = self.retry_after.map(|delay| seconds(delay) as u64);
        let status = match self.kind {
            Meaning::Refused | Meaning::Internal => 500,
            Meaning::Later | Meaning::Superseded => 503,
            Meaning::Busy => 429,
            Meaning::TimedOut => 408,
            Meaning::Forbidden => 403,
        };
        (status, retry_after)
    }
}

#[cfg(test)]
mod tests {
    use brigade_storage::Operation;

    use super::*;

    fn status(kind: Kind) -> Code {
        let error = StorageError::new(kind, Operation::Read, "b", "n", "");
        Status::from(ProcessError::from(error)).code()
    }

    #[test]
    fn a_replaced_object_is_not_a_failed_one() {
        assert_eq!(status(Kind::NotFound), Code::Aborted);
        assert_eq!(status(Kind::Precondition), Code::Aborted);
    }

    #[test]
    fn a_worker_without_permission_stops_the_poll_instead_of_failing_every_object() {
        assert_eq!(status(Kind::PermissionDenied), Code::PermissionDenied);
        assert_eq!(status(Kind::NoBucket), Code::PermissionDenied);
    }

    #[test]
    fn storage_that_is_away_is_no_fault_of_the_object() {
        assert_eq!(status(Kind::Unknown), Code::Unavailable);
        assert_eq!(status(Kind::Busy { retry_after: None }), Code::Unavailable);
    }

    #[test]
    fn a_delay_travels_as_retry_info() {
        let delay = Duration::from_secs(7);
        let status = Status::from(ProcessError::retry_after(delay, "later"));
        let info = status.get_error_details().retry_info().cloned();
        assert_eq!(info.and_then(|info| info.retry_delay), Some(delay));
    }

    #[test]
    fn an_overlong_message_is_cut_at_a_character() {
        let message = ProcessError::refuse("é".repeat(4000)).to_string();
        assert_eq!(message.len(), MAX_MESSAGE);
    }
}
