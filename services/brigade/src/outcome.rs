//! Errors of the libraries as failures of a command: this file alone decides their exit codes.

use std::fmt::Display;

use brigade_client::{ConnectError, identity};
use brigade_emulator::StartError;
use brigade_poller::tasks::TasksError;
use brigade_runtime::exit::{Exit, Failure};
use brigade_storage::gcs;
use tonic::{Code, Status};

/// An error that ends a command. Its message contains the fix.
pub(crate) trait Fatal: Display {
    fn exit(&self) -> Exit;

    fn message(&self) -> String {
        self.to_string()
    }
}

/// For `map_err`, which gives the error away.
#[allow(clippy::needless_pass_by_value, reason = "map_err passes it by value")]
pub(crate) fn failure(error: impl Fatal) -> Failure {
    Failure { exit: error.exit(), message: error.message(), hint: String::new() }
}

impl Fatal for identity::Error {
    fn exit(&self) -> Exit {
        if self.is_transient() { Exit::Unavailable } else { Exit::Permission }
    }
}

impl Fatal for ConnectError {
    fn exit(&self) -> Exit {
        match self {
            Self::Url(_) | Self::Path { .. } => Exit::Usage,
            Self::Identity(cause) => cause.exit(),
            Self::Client { .. } | Self::Transport { .. } => Exit::Unavailable,
        }
    }
}

impl Fatal for TasksError {
    fn exit(&self) -> Exit {
        match self {
            Self::Credentials(_) => Exit::Permission,
            Self::Transport { .. } => Exit::Unavailable,
        }
    }
}

impl Fatal for gcs::ConnectError {
    fn exit(&self) -> Exit {
        match self {
            Self::Credentials(_) => Exit::Permission,
            Self::Endpoint { .. } => Exit::Usage,
            Self::TimedOut => Exit::Unavailable,
        }
    }
}

impl Fatal for StartError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

/// A poll that ended with an error.
impl Fatal for Status {
    fn exit(&self) -> Exit {
        match self.code() {
            Code::Unauthenticated | Code::PermissionDenied => Exit::Permission,
            Code::InvalidArgument => Exit::Usage,
            _ => Exit::Unavailable,
        }
    }

    fn message(&self) -> String {
        Self::message(self).to_owned()
    }
}
