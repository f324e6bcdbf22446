//! What was found, said as it is found.

use std::io::{self, Write as _};

use brigade_runtime::exit::{Exit, Failure};
use serde_json::json;

/// What a check has to say when all is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    said: String,
}

impl Finding {
    pub(super) fn new(said: impl Into<String>) -> Self {
        Self { said: said.into() }
    }
}

/// Prints each finding, and keeps the first failure.
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

    /// A check that only has something to say.
    pub(super) fn note(&mut self, check: &str, found: Result<Finding, Failure>) {
        self.add(check, found.map(|finding| ((), finding)));
    }

    /// A check that makes something which later ones need, and what there is to say of it.
    pub(super) fn take<T>(
        &mut self,
        check: &str,
        made: Result<T, Failure>,
        said: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        let found = made.map(|made| {
            let finding = Finding::new(said(&made));
            (made, finding)
        });
        self.add(check, found)
    }

    /// A check that makes something which later ones need.
    pub(super) fn add<T>(
        &mut self,
        check: &str,
        found: Result<(T, Finding), Failure>,
    ) -> Option<T> {
        match found {
            Ok((made, finding)) => {
                self.print(check, true, &finding.said, "");
                Some(made)
            }
            Err(failure) => {
                self.print(check, false, &failure.message, &failure.hint);
                self.first.get_or_insert(failure);
                None
            }
        }
    }

    fn print(&self, check: &str, ok: bool, said: &str, hint: &str) {
        let line = if self.json {
            json!({ "check": check, "ok": ok, "said": said, "fix": hint }).to_string()
        } else {
            human(check, ok, said, hint)
        };
        // A closed pipe is no reason to fail.
        let _ = writeln!(io::stdout(), "{line}");
    }

    /// The exit code of the first failure, which is named once more: it is the one to mend first.
    pub(super) fn end(self) -> Exit {
        let Some(first) = self.first else {
            return Exit::Done;
        };
        if !self.json {
            let hint = if first.hint.is_empty() {
                &first.message
            } else {
                &first.hint
            };
            let _ = writeln!(io::stdout(), "\nmend first: {hint}");
        }
        first.exit
    }
}

fn human(check: &str, ok: bool, said: &str, hint: &str) -> String {
    let mark = if ok { "ok" } else { "FAILED" };
    // What others said may hold what a terminal obeys.
    let said: String = said
        .chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect();
    let below = if hint.is_empty() {
        String::new()
    } else {
        format!("\n{:21}{hint}", "")
    };
    format!("{mark:<8}{check:<13}{said}{below}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_decides_how_it_ends() {
        let mut report = Report::on_stdout(false);
        report.note("one", Ok(Finding::new("well")));
        report.note("two", Err(Failure::permission("no role", "grant it")));
        report.note("three", Err(Failure::unavailable("no answer", "")));
        assert_eq!(report.end(), Exit::Permission);
        assert_eq!(Report::on_stdout(true).end(), Exit::Done);
    }

    #[test]
    fn a_line_has_the_mend_below_it_and_nothing_that_a_terminal_obeys() {
        let line = human("worker", false, "said \u{1b}[31mred", "do this");
        assert_eq!(
            line,
            "FAILED  worker       said  [31mred\n                     do this"
        );
    }
}
