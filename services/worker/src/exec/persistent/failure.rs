//! Why a process of a program is not ready.

use super::super::answer::RETRY_AFTER;
use crate::{
    error::{ErrorKind, ProcessError},
    text::because,
};

/// What corrects it.
const CORRECT: &str = "; fix: correct the program, or its command in BRIGADE_EXEC (--exec)";
/// The same, before it has said a word of the protocol.
const SPEAK: &str = "; fix: correct the program, or its command in BRIGADE_EXEC (--exec). It must speak the protocol of docs/PROTOCOL.md";

/// Why a process is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) why: String,
    fix: &'static str,
    /// This machine has no room for it at this time: that passes by itself.
    is_exhausted: bool,
}

// === impl Failure ===

impl Failure {
    /// Its program has not followed the protocol, up to then.
    pub(super) fn silent(why: String) -> Self {
        Self { why, fix: SPEAK, is_exhausted: false }
    }

    /// Its program follows the protocol.
    pub(super) fn told(why: String) -> Self {
        Self { why, fix: CORRECT, is_exhausted: false }
    }

    /// The reason says what to do.
    pub(super) fn fixed(why: String) -> Self {
        Self { why, fix: "", is_exhausted: false }
    }

    /// Whether it is for the worker to say what the process wrote.
    pub(super) fn is_silent(&self) -> bool {
        self.fix == SPEAK
    }

    /// Adds the last words of a process that did not give the reason itself.
    pub(super) fn with_stderr(mut self, stderr: &str) -> Self {
        self.why = because(self.why, stderr);
        self
    }

    /// The answer to a call while no process is ready.
    pub(super) fn error(&self, program: &str) -> ProcessError {
        let Self { why, fix, is_exhausted } = self;
        let message = format!(
            "no process of the program {program} is ready: {why}{fix}. The worker starts it again by itself"
        );
        if *is_exhausted {
            ProcessError::busy_for(RETRY_AFTER, message)
        } else {
            ProcessError::misconfigured(message)
        }
    }
}

impl From<ProcessError> for Failure {
    fn from(error: ProcessError) -> Self {
        let is_exhausted = error.kind() == ErrorKind::Busy;
        Self { is_exhausted, ..Self::fixed(error.message().to_owned()) }
    }
}
