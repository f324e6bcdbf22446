//! Why a poll ended before its inbox was seen.

use brigade_storage::Error as StorageError;

use crate::verdict::Stop;

/// A poll that could not go on. Nothing was moved on account of it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PollError {
    /// The request cannot be met.
    #[error("the request's {field} is not valid: {why}")]
    Invalid {
        /// The field of `PollRequest`.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// An operator has to fix the wiring to the worker.
    #[error("the poll was stopped, and nothing was moved on its account: {0}")]
    Stopped(Stop),
    /// Consecutive calls of the worker failed in the transport.
    #[error(
        "the poll was stopped, and nothing was moved on its account: the worker could not be asked {failures} times in a \
         row; the last time: {last}. The next poll tries again; if this goes on, see that the worker runs and that \
         WORKER_URL is its own"
    )]
    WorkerAway {
        /// How many, with no answer in between.
        failures: u32,
        /// The last failure.
        last: String,
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
            Self::WorkerAway { .. } => false,
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
            PollError::Storage(error) if error.is_transient() => Self::unavailable(message),
            PollError::Stopped(_) | PollError::Storage(_) => Self::failed_precondition(message),
        }
    }
}
