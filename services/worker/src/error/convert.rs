//! What an error of storage, of a file or of a connection means for the object.

use std::io;

use brigade_storage::{Kind, Operation};
use rustix::io::Errno;

use super::{DEFAULT_RETRY_AFTER, ProcessError};

/// What a storage call of a processor means for the object.
///
/// A missing role or bucket never blames the object: a worker without its permission would send a whole inbox to
/// `failed/`. Neither does a call that storage did not answer: it is no attempt.
impl From<brigade_storage::Error> for ProcessError {
    fn from(error: brigade_storage::Error) -> Self {
        let message = error.to_string();
        let new = match error.kind() {
            Kind::NotFound | Kind::Precondition => Self::superseded(message),
            Kind::NoBucket | Kind::PermissionDenied | Kind::Unauthenticated => {
                Self::misconfigured(message)
            }
            Kind::Held => Self::failed_precondition(message),
            // The worker sends the same read for every object, so the object did not make it invalid.
            Kind::Invalid if is_read(error.operation()) => Self::storage_unavailable(None, message),
            Kind::Invalid => Self::misconfigured(message),
            Kind::Busy { retry_after } => Self::storage_unavailable(*retry_after, message),
            // Its fix is in the message.
            Kind::Encrypted | Kind::Unknown => Self::storage_unavailable(None, message),
        };
        new.with_source(error)
    }
}

fn is_read(operation: Operation) -> bool {
    matches!(operation, Operation::Get | Operation::List | Operation::Read)
}

/// A full disk, a connection error and an unavailable disk pass with time; anything else is the processor's own failure.
///
/// A [`ProcessError`] inside keeps its meaning: so a processor may read [`Job::read`](crate::Job::read) through an adapter
/// whose errors are `io::Error`, such as a decompressor, and use `?`.
impl From<io::Error> for ProcessError {
    fn from(error: io::Error) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(own) => return own,
            Err(error) => error,
        };
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
    use std::time::Duration;

    use super::*;
    use crate::error::ErrorKind;

    const READS: [Operation; 2] = [Operation::Read, Operation::Get];

    fn storage(kind: Kind, operation: Operation) -> ProcessError {
        brigade_storage::Error::new(kind, operation, "data", "in/a", "").into()
    }

    #[test]
    fn a_worker_without_its_role_blames_no_object() {
        for kind in [Kind::PermissionDenied, Kind::Unauthenticated, Kind::NoBucket] {
            for operation in [Operation::Read, Operation::Create] {
                assert_eq!(storage(kind.clone(), operation).kind(), ErrorKind::Misconfigured);
            }
        }
    }

    #[test]
    fn storage_that_does_not_answer_a_worker_costs_no_attempt() {
        for operation in [Operation::Read, Operation::Get, Operation::Create] {
            for kind in [Kind::Unknown, Kind::Busy { retry_after: None }] {
                let error = storage(kind, operation);
                let expected = (ErrorKind::StorageUnavailable, None);
                assert_eq!((error.kind(), error.delay()), expected, "{error}");
            }
        }
    }

    #[test]
    fn a_pause_that_storage_asks_for_is_passed_on() {
        let pause = Some(Duration::from_secs(7));
        let error = storage(Kind::Busy { retry_after: pause }, Operation::Read);
        assert_eq!((error.kind(), error.delay()), (ErrorKind::StorageUnavailable, pause));
    }

    #[test]
    fn a_read_that_storage_calls_invalid_costs_no_attempt_and_a_write_is_a_wrong_setting() {
        for operation in READS {
            assert_eq!(
                storage(Kind::Invalid, operation).kind(),
                ErrorKind::StorageUnavailable,
                "{operation}"
            );
        }
        let write = storage(Kind::Invalid, Operation::Create);
        assert_eq!(write.kind(), ErrorKind::Misconfigured);
    }

    #[test]
    fn an_object_that_is_gone_is_superseded() {
        for operation in READS {
            assert_eq!(storage(Kind::NotFound, operation).kind(), ErrorKind::Superseded);
        }
    }

    #[test]
    fn a_read_that_breaks_below_an_adapter_keeps_its_meaning() {
        let broken = io::Error::other(storage(Kind::Unknown, Operation::Read));
        assert_eq!(ProcessError::from(broken).kind(), ErrorKind::StorageUnavailable);
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
