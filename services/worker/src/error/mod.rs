//! What a processor returns when it does not accept an object.

mod convert;

use std::{error::Error as StdError, time::Duration};

pub(crate) use convert::is_exhausted;

/// How long a caller is asked to wait when no better time is known.
pub(crate) const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why an object was not accepted, and with that what becomes of it.
///
/// A processor names no status code. It returns what happened, and each kind has one meaning for the object:
///
/// | constructor | the object |
/// |---|---|
/// | [`refuse`](Self::refuse), [`failed_precondition`](Self::failed_precondition), [`internal`](Self::internal) | goes to `failed/` |
/// | [`retry_after`](Self::retry_after), [`superseded`](Self::superseded) | stays, and is retried |
/// | [`misconfigured`](Self::misconfigured) | stays, and the poll stops: every object would meet the same |
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ProcessError {
    kind: ErrorKind,
    message: String,
    retry_after: Option<Duration>,
    violations: Vec<Violation>,
    details: Details,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What else is written on an object that fails. Empty when there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Details {
    /// A short name by which failures are grouped.
    pub(crate) kind: String,
    /// How a program ended.
    pub(crate) exit: String,
}

/// The kinds of [`ProcessError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The content is not what this processor reads.
    Refused,
    /// A precondition of the content is not met, and time alone will not change it.
    FailedPrecondition,
    /// The processor failed on this object.
    Internal,
    /// A dependency is unavailable for now.
    Unavailable,
    /// Storage did not let the worker read the object or write an output, for a reason that may pass: no attempt is counted.
    StorageUnavailable,
    /// This worker is at its concurrency limit, or is shutting down.
    Busy,
    /// The object was replaced or deleted meanwhile.
    Superseded,
    /// The time for this object ran out.
    DeadlineExceeded,
    /// A setting or a role of this worker must be fixed first.
    Misconfigured,
    /// The call itself is not a valid request.
    Malformed,
}

/// One part of the input that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where, such as `line 3, column reaction_ms` or `object.generation`.
    pub field: String,
    /// What is wrong there.
    pub description: String,
}

// === impl ProcessError ===

impl ProcessError {
    /// The content is not what this processor reads: the object goes to `failed/`. The message says what is wrong and where;
    /// [`with_violation`](Self::with_violation) adds the same for programs.
    pub fn refuse(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    /// A precondition of the content is not met, such as a reference to missing data, and time alone will not change it: the
    /// object goes to `failed/`.
    pub fn failed_precondition(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::FailedPrecondition, message)
    }

    /// The processor failed on this object: it goes to `failed/`.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// A dependency is unavailable for now: the object stays, and is retried after `delay` at the earliest. Attempts are
    /// counted; after too many the object goes to `failed/`.
    pub fn retry_after(delay: Duration, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message).after(delay)
    }

    /// The object was replaced or deleted while it was processed: what is there now is processed in its turn.
    pub fn superseded(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Superseded, message)
    }

    /// A setting or a role of this worker must be fixed first; no object moves until then. The message names the setting and
    /// the fix.
    pub fn misconfigured(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Misconfigured, message)
    }

    /// Storage failed for a reason that may pass: no attempt is counted. `delay` is how long it asked to wait.
    fn storage_unavailable(delay: Option<Duration>, message: impl Into<String>) -> Self {
        Self { retry_after: delay, ..Self::new(ErrorKind::StorageUnavailable, message) }
    }

    /// This worker is at its concurrency limit. It names no delay: a caller that waits would leave free slots unused.
    pub(crate) fn full(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Busy, message)
    }

    /// This worker could not start, for a reason that is not the object's: no attempt is counted.
    pub(crate) fn busy_for(delay: Duration, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Busy, message).after(delay)
    }

    pub(crate) fn deadline(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::DeadlineExceeded, message)
    }

    pub(crate) fn malformed(violations: Vec<Violation>) -> Self {
        let all: Vec<String> = violations
            .iter()
            .map(|violation| format!("{} {}", violation.field, violation.description))
            .collect();
        Self { violations, ..Self::new(ErrorKind::Malformed, all.join("; ")) }
    }

    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
            violations: Vec::new(),
            details: Details::default(),
            source: None,
        }
    }

    fn after(self, delay: Duration) -> Self {
        Self { retry_after: Some(delay), ..self }
    }

    /// Adds one part of the input that is wrong; it travels as a `google.rpc.BadRequest` detail.
    #[must_use]
    pub fn with_violation(
        mut self,
        field: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        self.violations.push(Violation { field: field.into(), description: description.into() });
        self
    }

    /// Names the kind of failure in a few letters, such as `no-day`: failed objects are grouped by it.
    #[must_use]
    pub fn with_kind(mut self, kind: impl Into<String>) -> Self {
        self.details.kind = kind.into();
        self
    }

    /// Says how a program ended.
    #[must_use]
    pub(crate) fn with_exit(mut self, exit: impl Into<String>) -> Self {
        self.details.exit = exit.into();
        self
    }

    /// Keeps what caused it, for this worker's log. It is not sent.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What else is written on an object that fails.
    pub(crate) fn details(&self) -> &Details {
        &self.details
    }

    /// Which kind it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// When to try again.
    pub fn delay(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The parts of the input that are wrong.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}
