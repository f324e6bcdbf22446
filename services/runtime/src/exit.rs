//! How a command ends: its exit code, and its message to a person.

use std::{error::Error as _, fmt, process::ExitCode};

use clap::error::ErrorKind;

/// The fix where the system has no certificates by which TLS trusts a server.
pub const CA_CERTIFICATES: &str = "install the package ca-certificates (Debian: apt-get install ca-certificates; in a Dockerfile: RUN apt-get \
                                   update && apt-get install -y ca-certificates), or name a file of certificates in SSL_CERT_FILE";

/// Exit codes, by the BSD `sysexits(3)` where one fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Done in part.
    Partly = 1,
    /// `EX_USAGE`: a wrong flag or setting.
    Usage = 64,
    /// `EX_UNAVAILABLE`: something needed is unreachable.
    Unavailable = 69,
    /// `EX_NOPERM`: credentials or permission.
    Permission = 77,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Prints help and versions on stdout, and errors of the arguments on stderr.
pub fn explain(error: &clap::Error) -> Exit {
    // A closed terminal does not change the exit code.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
        _ => Exit::Usage,
    }
}

/// A command that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What failed, on what, and why.
    pub message: String,
    /// The fix; empty when the message contains it.
    pub hint: String,
}

impl Failure {
    /// A wrong flag or setting.
    pub fn usage(message: impl fmt::Display, hint: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message, hint)
    }

    /// Something needed is unreachable.
    pub fn unavailable(message: impl fmt::Display, hint: impl Into<String>) -> Self {
        Self::new(Exit::Unavailable, message, hint)
    }

    /// Credentials or permission.
    pub fn permission(message: impl fmt::Display, hint: impl Into<String>) -> Self {
        Self::new(Exit::Permission, message, hint)
    }

    fn new(exit: Exit, message: impl fmt::Display, hint: impl Into<String>) -> Self {
        Self { exit, message: message.to_string(), hint: hint.into() }
    }
}

/// Fails when no client can call `what` over TLS.
pub fn require_certificates(what: &str) -> Result<(), Failure> {
    let failed = |error: reqwest::Error| {
        let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
        Failure::unavailable(format!("cannot call {what} over TLS{cause}"), CA_CERTIFICATES)
    };
    reqwest::Client::builder().build().map(drop).map_err(failed)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if !self.hint.is_empty() {
            write!(f, "\n  fix: {}", self.hint)?;
        }
        Ok(())
    }
}

impl From<crate::settings::Problems> for Failure {
    fn from(error: crate::settings::Problems) -> Self {
        Self::usage(error, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_happened_and_then_what_to_do() {
        let failure = Failure::unavailable("cannot listen on 0.0.0.0:8080", "choose another port");
        let text = "error: cannot listen on 0.0.0.0:8080\n  fix: choose another port";
        assert_eq!(failure.to_string(), text);
        assert_eq!(Failure::usage("no such flag", "").to_string(), "error: no such flag");
    }

    #[test]
    fn exit_codes_are_those_of_sysexits() {
        let codes = [Exit::Done, Exit::Partly, Exit::Usage, Exit::Unavailable, Exit::Permission];
        assert_eq!(codes.map(|exit| exit as u8), [0, 1, 64, 69, 77]);
        assert_eq!(Failure::permission("x", "y").exit, Exit::Permission);
    }
}
