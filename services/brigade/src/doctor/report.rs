//! What the checks found, printed as it is found.

use std::io::{self, Write as _};

use brigade_runtime::exit::{Exit, Failure};
use serde_json::json;

/// Prints each result, and keeps the first failure.
#[derive(Debug)]
pub(super) struct Report {
    json: bool,
    first: Option<Failure>,
}

// === impl Report ===

impl Report {
    pub(super) fn on_stdout(json: bool) -> Self {
        Self { json, first: None }
    }

    /// Adds a check that yields its message alone.
    pub(super) fn note(&mut self, check: &str, found: Result<String, Failure>) {
        self.add(check, found, String::clone);
    }

    /// Adds a check that yields what later ones need.
    pub(super) fn add<T>(
        &mut self,
        check: &str,
        found: Result<T, Failure>,
        message: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        match found {
            Ok(value) => {
                self.print(check, true, &message(&value), "");
                Some(value)
            }
            Err(failure) => {
                self.print(check, false, &failure.message, &failure.hint);
                self.first.get_or_insert(failure);
                None
            }
        }
    }

    fn print(&self, check: &str, ok: bool, message: &str, hint: &str) {
        let line = if self.json {
            json!({ "check": check, "ok": ok, "message": message, "fix": hint }).to_string()
        } else {
            human(check, ok, message, hint)
        };
        // A closed pipe does not change the exit code.
        let _ = writeln!(io::stdout(), "{line}");
    }

    /// The exit code of the first failure. For a person, its fix comes once more.
    pub(super) fn end(self) -> Exit {
        let Some(first) = self.first else {
            return Exit::Done;
        };
        if !self.json {
            let fixes = [first.hint, first.message];
            let fix = fixes.iter().find(|text| !text.is_empty());
            let _ = writeln!(io::stdout(), "\nfix first: {}", fix.map_or("", |fix| fix));
        }
        first.exit
    }
}

fn human(check: &str, ok: bool, message: &str, hint: &str) -> String {
    let mark = if ok { "ok" } else { "FAILED" };
    // A message may quote another program; its control characters could drive the terminal.
    let message = message.replace(|c: char| c.is_control() && c != '\n', " ");
    let below = match hint {
        "" => String::new(),
        hint => format!("\n{:21}{hint}", ""),
    };
    format!("{mark:<8}{check:<13}{message}{below}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_decides_the_exit_code() {
        let mut report = Report::on_stdout(false);
        report.note("one", Ok("well".to_owned()));
        report.note("two", Err(Failure::permission("no role", "grant it")));
        report.note("three", Err(Failure::unavailable("no answer", "")));
        assert_eq!(report.end(), Exit::Permission);
        assert_eq!(Report::on_stdout(true).end(), Exit::Done);
    }

    #[test]
    fn a_line_has_the_fix_below_it_and_no_control_characters() {
        let line = human("worker", false, "returned \u{1b}[31mred", "do this");
        assert_eq!(line, "FAILED  worker       returned  [31mred\n                     do this");
    }
}
