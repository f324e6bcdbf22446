//! What a run found: a table promise by promise, or one JSON object.

use std::io::{self, Write as _};

use brigade_contract::{Finding, Row, rests_on};
use brigade_runtime::exit::Exit;
use brigade_storage::{Location, object::escape};
use serde_json::{Value, json};

use super::own::{Calls, Left};

/// Prints each row as it comes, or all at the end.
#[derive(Debug)]
pub(super) struct Report {
    is_json: bool,
    run: String,
    places: Vec<String>,
    rows: Vec<Value>,
    /// The headings that rows name, in the order of their numbers.
    headings: Vec<&'static str>,
    subject: &'static str,
    kept: usize,
    broken: usize,
    not_tried: usize,
    is_interrupted: bool,
}

// === impl Report ===

impl Report {
    pub(super) fn new(is_json: bool, run: &str, places: &[Location]) -> Self {
        Self {
            is_json,
            run: run.to_owned(),
            places: places.iter().map(ToString::to_string).collect(),
            rows: Vec::new(),
            headings: Vec::new(),
            subject: "",
            kept: 0,
            broken: 0,
            not_tried: 0,
            is_interrupted: false,
        }
    }

    pub(super) fn row(&mut self, row: &Row) {
        let (result, detail) = match &row.finding {
            Finding::Kept => {
                self.kept += 1;
                ("kept", String::new())
            }
            Finding::Broken(how) => {
                self.broken += 1;
                ("broken", how.to_string())
            }
            Finding::NotTried(why) => {
                self.not_tried += 1;
                ("not tried", (*why).to_owned())
            }
        };
        let headings = rests_on(row.subject);
        self.rows.push(json!({
            "subject": row.subject, "promise": row.promise, "result": result, "detail": detail, "rests_on_it": headings,
        }));
        if !self.is_json {
            self.print_row(row, result, &detail, headings);
        }
    }

    fn print_row(&mut self, row: &Row, result: &str, detail: &str, headings: &[&'static str]) {
        if self.subject != row.subject {
            self.subject = row.subject;
            let numbers: Vec<String> = headings.iter().map(|it| self.number(it)).collect();
            print(&format!("{} {}", row.subject, numbers.concat()));
        }
        let promise = row.promise.replace('_', " ");
        let why = if detail.is_empty() { String::new() } else { format!(": {}", escape(detail)) };
        print(&format!("  {result:<10} {promise}{why}"));
    }

    fn number(&mut self, heading: &'static str) -> String {
        let known = self.headings.iter().position(|it| *it == heading);
        let index = known.unwrap_or_else(|| {
            self.headings.push(heading);
            self.headings.len() - 1
        });
        format!("[{}]", index + 1)
    }

    /// A signal came.
    pub(super) fn interrupted(&mut self) {
        self.is_interrupted = true;
    }

    /// Prints the rest. Done is: everything kept that was tried, and nothing left.
    pub(super) fn end(self, calls: Calls, left: &Left, keeps_versions: bool) -> Exit {
        if self.is_json {
            self.print_json(calls, left, keeps_versions);
        } else {
            self.print_end(calls, left, keeps_versions);
        }
        let is_done = self.broken == 0 && left.is_empty() && !self.is_interrupted;
        if is_done { Exit::Done } else { Exit::Partly }
    }

    fn print_json(&self, calls: Calls, left: &Left, keeps_versions: bool) {
        let report = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "run": self.run,
            "places": self.places,
            "promises": self.rows,
            "kept": self.kept,
            "broken": self.broken,
            "not_tried": self.not_tried,
            "interrupted": self.is_interrupted,
            "calls": { "class_a": calls.class_a, "class_b": calls.class_b, "free": calls.free },
            "left": left,
            "noncurrent_versions_left": keeps_versions,
        });
        print(&report.to_string());
    }

    fn print_end(&self, calls: Calls, left: &Left, keeps_versions: bool) {
        print("\nWhat rests on each subject, in docs/PROMISES.md:");
        for (index, heading) in self.headings.iter().enumerate() {
            print(&format!("  [{}] {heading}", index + 1));
        }
        let (kept, broken, not_tried) = (self.kept, self.broken, self.not_tried);
        print(&format!("\n{kept} promises kept, {broken} broken, {not_tried} not tried"));
        print(&format!("{}, below {}", super::cost(calls), self.places.join(" and ")));
        if self.is_interrupted {
            print("a signal ended the run before its last promise");
        }
        if left.is_empty() {
            print("every object that it made is removed");
        }
        for object in left {
            print(&format!("left: {object}"));
        }
        if keeps_versions {
            let places = self.places.join(" ");
            print(&format!(
                "left: noncurrent versions, as the bucket keeps versions; fix: gcloud storage rm --recursive --all-versions {places}"
            ));
        }
    }
}

fn print(line: &str) {
    // A closed pipe does not change the exit code.
    let _ = writeln!(io::stdout(), "{line}");
}
