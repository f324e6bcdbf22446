//! Why a poll ended before its inbox was seen.

use brigade_storage::Error as StorageError;

use crate::verdict::Stop;

/// A poll that could not go on. Nothing was moved on account of it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PollError {
    /// The request cannot be met.
    #[error("request field {field} is not valid: {why}")]
    Invalid {
        /// The field of `PollRequest`.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// An operator has to fix the wiring to the worker.
    #[error("poll stopped; no file was moved because of it: {0}")]
    Stopped(Stop),
    /// Consecutive calls of the worker failed in the transport.
    #[error(
        "poll stopped: {failures} consecutive calls to the worker failed; last error: {last}. No file was moved because \
         of it; the next poll retries. If this goes on, check that the worker is running and that WORKER_URL points to it"
    )]
    WorkerAway {
        /// How many, with no answer in between.
        failures: u32,
        /// The last failure.
        last: String,
    },
    /// As many callers list or replay as the instance has memory for.
    #[error(
        "{most} callers {what} objects at this instance already; try again when one of them has ended"
    )]
    Busy {
        /// What they do.
        what: &'static str,
        /// How many may.
        most: usize,
    },
    /// A storage call failed, for every object alike.
    #[error("{0}")]
    Storage(std::sync::Arc<StorageError>),
}

impl PollError {
    /// An operator has to fix something before a poll can work; otherwise it is transient.
    pub fn needs_fix(&self) -> bool {
        match self {
            Self::Invalid { .. } | Self::Stopped(_) => true,
            Self::WorkerAway { .. } | Self::Busy { .. } => false,
            Self::Storage(error) => !error.is_transient(),
        }
    }
}

impl From<StorageError> for PollError {
    fn from(error: StorageError) -> Self {
        Self::Storage(std::sync::Arc::new(error))
    }
}

impl From<PollError> for tonic::Status {
    fn from(error: PollError) -> Self {
        let message = error.to_string();
        match error {
            PollError::Invalid { .. } => Self::invalid_argument(message),
            PollError::WorkerAway { .. } => Self::unavailable(message),
            PollError::Busy { .. } => Self::resource_exhausted(message),
            PollError::Storage(error) if error.is_transient() => Self::unavailable(message),
            PollError::Stopped(_) | PollError::Storage(_) => Self::failed_precondition(message),
        }
    }
}
