//! What a processor returns when it does not accept an object.

use std::{error::Error as StdError, io, time::Duration};

use brigade_storage::Kind;
use rustix::io::Errno;

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
    source: Option<Box<dyn StdError + Send + Sync>>,
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

    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self::busy_for(DEFAULT_RETRY_AFTER, message)
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

    /// Keeps what caused it, for this worker's log. It is not sent.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
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

/// What a storage call of a processor means for the object.
///
/// A missing role or bucket never blames the object: a worker without its permission would send a whole inbox to
/// `failed/`.
impl From<brigade_storage::Error> for ProcessError {
    fn from(error: brigade_storage::Error) -> Self {
        let message = error.to_string();
        let new = match error.kind() {
            Kind::NotFound | Kind::Precondition => Self::superseded(message),
            Kind::NoBucket | Kind::PermissionDenied | Kind::Unauthenticated => {
                Self::misconfigured(message)
            }
            Kind::Held => Self::failed_precondition(message),
            Kind::Invalid => Self::internal(message),
            Kind::Busy { retry_after } => {
                Self::retry_after(retry_after.unwrap_or(DEFAULT_RETRY_AFTER), message)
            }
            Kind::Unknown => Self::retry_after(DEFAULT_RETRY_AFTER, message),
        };
        new.with_source(error)
    }
}

/// A full disk, a connection error and an unavailable disk pass with time; anything else is the processor's own failure.
impl From<io::Error> for ProcessError {
    fn from(error: io::Error) -> Self {
        let message = error.to_string();
        let new = if is_exhausted(&error) || is_unavailable(&error) {
            Self::retry_after(DEFAULT_RETRY_AFTER, message)
        } else {
            Self::internal(message)
        };
        new.with_source(error)
    }
}

/// Whether this machine has run out of a resource that others will free: disk, memory, processes, open files.
pub(crate) fn is_exhausted(error: &io::Error) -> bool {
    use Errno as E;
    use io::ErrorKind as K;
    let kinds = [K::StorageFull, K::QuotaExceeded, K::OutOfMemory];
    let errnos = [E::AGAIN, E::NOMEM, E::NFILE, E::MFILE, E::NOSPC, E::DQUOT, E::TXTBSY];
    kinds.contains(&error.kind()) || is_one_of(error, &errnos)
}

fn is_one_of(error: &io::Error, errnos: &[Errno]) -> bool {
    Errno::from_io_error(error).is_some_and(|errno| errnos.contains(&errno))
}

/// Whether a resource of this machine is unavailable, which says nothing about any object.
fn is_unavailable(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    is_one_of(error, &[Errno::IO, Errno::NODEV])
        || matches!(
            error.kind(),
            K::ConnectionRefused
                | K::ConnectionReset
                | K::ConnectionAborted
                | K::NotConnected
                | K::HostUnreachable
                | K::NetworkUnreachable
                | K::NetworkDown
                | K::TimedOut
                | K::ResourceBusy
                | K::ReadOnlyFilesystem
                | K::StaleNetworkFileHandle
        )
}

#[cfg(test)]
mod tests {
    use brigade_storage::Operation;

    use super::*;

    fn storage(kind: Kind) -> ErrorKind {
        ProcessError::from(brigade_storage::Error::new(kind, Operation::Read, "data", "in/a", ""))
            .kind()
    }

    #[test]
    fn a_worker_without_its_role_blames_no_object() {
        for kind in [Kind::PermissionDenied, Kind::Unauthenticated, Kind::NoBucket] {
            assert_eq!(storage(kind), ErrorKind::Misconfigured);
        }
    }

    #[test]
    fn a_store_that_is_away_means_try_again() {
        let wish = Duration::from_secs(7);
        let error = brigade_storage::Error::new(
            Kind::Busy { retry_after: Some(wish) },
            Operation::Read,
            "data",
            "in/a",
            "",
        );
        assert_eq!(ProcessError::from(error).delay(), Some(wish));
        assert_eq!(storage(Kind::Unknown), ErrorKind::Unavailable);
        assert_eq!(storage(Kind::NotFound), ErrorKind::Superseded);
    }

    #[test]
    fn a_full_disk_means_try_again_and_a_missing_file_does_not() {
        let full = io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
        assert_eq!(ProcessError::from(full).kind(), ErrorKind::Unavailable);
        for own in
            [io::ErrorKind::NotFound, io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof]
        {
            assert_eq!(ProcessError::from(io::Error::from(own)).kind(), ErrorKind::Internal);
        }
    }

    #[test]
    fn a_database_that_restarts_or_a_broken_disk_means_try_again() {
        for away in [
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::TimedOut,
            io::ErrorKind::ReadOnlyFilesystem,
        ] {
            assert_eq!(ProcessError::from(io::Error::from(away)).kind(), ErrorKind::Unavailable);
        }
        let broken = io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error());
        assert_eq!(ProcessError::from(broken).kind(), ErrorKind::Unavailable);
    }
}
