//! Errors of the libraries as failures of a command: the exit code is decided here, once.

use std::io::Write as _;

use brigade_client::{ConnectError, identity};
use brigade_emulator::StartError;
use brigade_poller::tasks::TasksError;
use brigade_runtime::exit::{Exit, Failure};
use brigade_storage::gcs;
use tonic::{Code, Status};

/// One message on stderr.
pub(crate) fn complain(failure: &Failure) {
    // Nobody is left to tell when stderr is gone.
    let _ = writeln!(std::io::stderr(), "{failure}");
}

/// No ID tokens.
pub(crate) fn identity(error: &identity::Error) -> Failure {
    if error.is_transient() {
        Failure::unavailable(error, "")
    } else {
        Failure::permission(error, "")
    }
}

/// A client that cannot be made.
pub(crate) fn connect(error: &ConnectError) -> Failure {
    match error {
        ConnectError::Url(_) => Failure::usage(error, ""),
        ConnectError::Identity(cause) => identity(cause),
        ConnectError::Client { .. } | ConnectError::Transport { .. } => {
            Failure::unavailable(error, "")
        }
    }
}

/// No queue.
pub(crate) fn tasks(error: &TasksError) -> Failure {
    match error {
        TasksError::Credentials(_) => Failure::permission(error, ""),
        TasksError::Transport { .. } => Failure::unavailable(error, ""),
    }
}

/// No Cloud Storage.
pub(crate) fn storage(error: &gcs::ConnectError) -> Failure {
    match error {
        gcs::ConnectError::Credentials(_) => Failure::permission(error, ""),
        gcs::ConnectError::Endpoint { .. } => Failure::usage(error, ""),
        gcs::ConnectError::TimedOut => Failure::unavailable(error, ""),
    }
}

/// No stand-in.
pub(crate) fn emulator(error: &StartError) -> Failure {
    Failure::usage(error, "")
}

/// A poll that ended with an error.
pub(crate) fn poll(status: &Status) -> Failure {
    let message = status.message();
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => Failure::permission(message, ""),
        Code::InvalidArgument => Failure::usage(message, ""),
        _ => Failure {
            exit: Exit::Unavailable,
            message: message.to_owned(),
            hint: String::new(),
        },
    }
}
