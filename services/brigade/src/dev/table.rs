//! Shows a poll's events as a table that a person can read, or as one JSON object a line.

use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, Write},
    time::Duration,
};

use brigade_proto::v1::{ObjectSettled, PollResponse, Settlement, poll_response::Event};
use brigade_storage::object::escape;
use owo_colors::{OwoColorize as _, Style};

/// How settlements are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// A table, with colour on a terminal.
    Table {
        /// Whether to colour.
        colour: bool,
    },
    /// One JSON object a line, the contract's own messages.
    Json,
}

impl Show {
    /// A table on a terminal, JSON when asked for or piped.
    pub fn on_stdout(json: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        if json || !terminal {
            Self::Json
        } else {
            Self::Table {
                colour: std::env::var_os("NO_COLOR").is_none(),
            }
        }
    }
}

/// Writes events, and keeps what the summary needs.
#[derive(Debug)]
pub struct Table<W> {
    show: Show,
    out: W,
    totals: Totals,
}

/// What became of the objects of one run; an object that was met several times counts by its last settlement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    last: BTreeMap<(String, i64), Outcome>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    settlement: Settlement,
    name: String,
    reason: String,
}

impl Totals {
    /// Objects that were handed to the worker.
    pub fn found(&self) -> usize {
        self.last.len()
    }

    /// Objects whose last settlement was this one.
    pub fn count(&self, settlement: Settlement) -> usize {
        self.last.values().filter(|outcome| outcome.settlement == settlement).count()
    }

    /// Objects that nobody replaced and that lie in the inbox still.
    pub fn left(&self) -> usize {
        self.found()
            - self.count(Settlement::Processed)
            - self.count(Settlement::Failed)
            - self.count(Settlement::Superseded)
    }

    /// The failed objects and those left, with their reasons, in name order.
    fn remarkable(&self) -> impl Iterator<Item = &Outcome> {
        self.last.values().filter(|outcome| {
            !matches!(outcome.settlement, Settlement::Processed | Settlement::Superseded)
        })
    }
}

impl<W: Write> Table<W> {
    /// A table on `out`.
    pub fn new(show: Show, out: W) -> Self {
        Self {
            show,
            out,
            totals: Totals::default(),
        }
    }

    /// What was seen so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Shows one event.
    pub fn event(&mut self, response: &PollResponse) -> std::io::Result<()> {
        if let Some(Event::Settled(settled)) = &response.event {
            self.totals.keep(settled);
        }
        match (self.show, &response.event) {
            (Show::Json, _) => {
                serde_json::to_writer(&mut self.out, response)?;
                writeln!(self.out)
            }
            (Show::Table { colour }, Some(Event::Settled(settled))) => self.row(settled, colour),
            (Show::Table { .. }, _) => Ok(()),
        }
    }

    /// Shows the counts, and each object that was not processed with its reason.
    pub fn summary(&mut self) -> std::io::Result<()> {
        let totals = &self.totals;
        let (processed, failed, left) = (
            totals.count(Settlement::Processed),
            totals.count(Settlement::Failed),
            totals.left(),
        );
        match self.show {
            Show::Json => {
                let summary = serde_json::json!({ "summary": {
                    "found": totals.found(), "processed": processed, "failed": failed, "left": left,
                }});
                writeln!(self.out, "{summary}")
            }
            Show::Table { .. } => {
                let left = if left == 0 { String::new() } else { format!(", {left} left in incoming/") };
                writeln!(
                    self.out,
                    "\n{} found, {processed} processed, {failed} failed{left}",
                    totals.found()
                )?;
                for outcome in totals.remarkable() {
                    writeln!(self.out, "  {}: {}", escape(&outcome.name), escape(&outcome.reason))?;
                }
                Ok(())
            }
        }
    }

    fn row(&mut self, settled: &ObjectSettled, colour: bool) -> std::io::Result<()> {
        let object = settled.object.clone().unwrap_or_default();
        let style = if colour { style(settled.settlement()) } else { Style::new() };
        let word = format!("{:<10}", word(settled.settlement()));
        let took = settled.duration.as_ref().map(took).unwrap_or_default();
        let remark = if settled.summary.is_empty() { &settled.reason } else { &settled.summary };
        writeln!(
            self.out,
            "  {} {:<32} {:>8}  {}",
            word.style(style),
            escape(&object.name).to_string(),
            took,
            escape(remark)
        )?;
        self.out.flush()
    }
}

impl Totals {
    fn keep(&mut self, settled: &ObjectSettled) {
        let object = settled.object.clone().unwrap_or_default();
        self.last.insert(
            (object.name.clone(), object.generation),
            Outcome {
                settlement: settled.settlement(),
                name: object.name,
                reason: settled.reason.clone(),
            },
        );
    }
}

fn word(settlement: Settlement) -> &'static str {
    match settlement {
        Settlement::Processed => "processed",
        Settlement::Failed => "failed",
        Settlement::Retry => "retry",
        Settlement::Superseded => "superseded",
        Settlement::Held => "held",
        Settlement::Stopped => "stopped",
        Settlement::Planned => "planned",
        Settlement::Unspecified => "?",
    }
}

fn style(settlement: Settlement) -> Style {
    let style = Style::new();
    match settlement {
        Settlement::Processed => style.green(),
        Settlement::Failed | Settlement::Stopped => style.red(),
        Settlement::Retry | Settlement::Held => style.yellow(),
        Settlement::Superseded | Settlement::Planned | Settlement::Unspecified => style.dimmed(),
    }
}

fn took(duration: &brigade_proto::Duration) -> String {
    let took = Duration::new(
        duration.seconds.try_into().unwrap_or(0),
        duration.nanos.try_into().unwrap_or(0),
    );
    format!("{:.0?}", took)
}
