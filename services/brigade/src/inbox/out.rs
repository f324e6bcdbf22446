//! Where a command's payload goes, and in which form.

use std::{
    env,
    io::{self, BufWriter, ErrorKind, IsTerminal as _, Stdout, Write},
};

use brigade_proto::v1;
use brigade_runtime::exit::{Exit, Failure};
use owo_colors::{OwoColorize as _, Style};
use serde::Serialize;
use tonic::Status;

use crate::{live::columns, target::Target};

/// Why a command ends before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// What reads stdout wants no more of it.
    Closed,
    /// The poller returned this, or could not be reached.
    Refused(Status),
    /// The command failed.
    Failed(Failure),
}

/// Stdout.
#[derive(Debug)]
pub(crate) struct Out {
    to: BufWriter<Stdout>,
    /// The columns of the terminal; nothing when stdout is none.
    pub(crate) width: Option<usize>,
    has_colour: bool,
}

/// The exit code of a command whose reader may have gone, and who called this poller.
pub(crate) fn end(ended: Result<Exit, Stop>, target: &Target) -> Result<Exit, Failure> {
    match ended {
        Ok(exit) => Ok(exit),
        Err(Stop::Closed) => Ok(Exit::Done),
        Err(Stop::Failed(failure)) => Err(failure),
        Err(Stop::Refused(status)) => Err(target.failure(status)),
    }
}

// === impl Stop ===

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Status> for Stop {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe {
            return Self::Closed;
        }
        let hint = "check the disk, or where stdout goes";
        Self::Failed(Failure::unavailable(format!("cannot write to stdout: {error}"), hint))
    }
}

// === impl Out ===

impl Out {
    pub(crate) fn stdout() -> Self {
        let is_terminal = io::stdout().is_terminal();
        Self {
            to: BufWriter::new(io::stdout()),
            width: is_terminal.then(columns),
            has_colour: has_colour(is_terminal, |name| env::var(name).unwrap_or_default()),
        }
    }

    /// Whether a person reads it.
    pub(crate) fn is_terminal(&self) -> bool {
        self.width.is_some()
    }

    /// Text in this style, where it has colours.
    pub(crate) fn styled(&self, text: &str, style: Style) -> String {
        text.style(if self.has_colour { style } else { Style::new() }).to_string()
    }

    /// One line.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Stop> {
        Ok(writeln!(self.to, "{line}")?)
    }

    /// One value of JSON on a line.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Stop> {
        serde_json::to_writer(&mut self.to, value).map_err(io::Error::from)?;
        Ok(writeln!(self.to)?)
    }

    /// One item of an array of JSON, which [`end_array`](Self::end_array) ends.
    pub(crate) fn item(&mut self, value: &impl Serialize, is_first: bool) -> Result<(), Stop> {
        self.to.write_all(if is_first { b"[\n" } else { b",\n" })?;
        serde_json::to_writer(&mut self.to, value).map_err(io::Error::from)?;
        Ok(())
    }

    pub(crate) fn end_array(&mut self, is_empty: bool) -> Result<(), Stop> {
        Ok(self.to.write_all(if is_empty { b"[]\n" } else { b"\n]\n" })?)
    }

    pub(crate) fn flush(&mut self) -> Result<(), Stop> {
        Ok(self.to.flush()?)
    }
}

/// `NO_COLOR` goes before `CLICOLOR_FORCE` (no-color.org, bixense.com/clicolors).
fn has_colour(is_terminal: bool, variable: impl Fn(&str) -> String) -> bool {
    let is_forced = !matches!(&*variable("CLICOLOR_FORCE"), "" | "0");
    let is_plain = !variable("NO_COLOR").is_empty();
    !is_plain && (is_forced || (is_terminal && variable("TERM") != "dumb"))
}

/// A note beside the payload.
pub(crate) fn note(text: &str) {
    // When stderr is closed there is no place to report it.
    let _ = writeln!(io::stderr(), "{text}");
}

/// The object that a message of the contract is about.
pub(crate) fn object(info: &v1::InboxObject) -> v1::Object {
    info.object.clone().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_unless_a_variable_says_otherwise() {
        for (is_terminal, set, has) in [
            (true, "", true),
            (false, "", false),
            (true, "NO_COLOR=1", false),
            (false, "CLICOLOR_FORCE=1", true),
            (false, "CLICOLOR_FORCE=0", false),
            (true, "TERM=dumb", false),
        ] {
            let (key, value) = set.split_once('=').unwrap_or_default();
            let variable = |name: &str| if name == key { value.to_owned() } else { String::new() };
            assert_eq!(has_colour(is_terminal, variable), has, "{is_terminal} {set}");
        }
        assert!(!has_colour(true, |_| "1".to_owned()), "NO_COLOR goes before CLICOLOR_FORCE");
    }

    #[test]
    fn a_closed_pipe_is_no_failure_and_a_full_disk_is_one() {
        let stop = |kind| Stop::from(io::Error::from(kind));
        assert!(matches!(stop(ErrorKind::BrokenPipe), Stop::Closed));
        let full = stop(ErrorKind::StorageFull);
        assert!(matches!(full, Stop::Failed(Failure { exit: Exit::Unavailable, .. })));
    }
}
