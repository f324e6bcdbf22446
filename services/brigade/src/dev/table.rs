//! Shows a poll's events as a table that a person can read, or as one JSON object a line.

use std::{collections::BTreeMap, fmt, io::Write, time::Duration};

use brigade_proto::v1::{ObjectSettled, PollResponse, Settlement, poll_response::Event};
use brigade_storage::object::escape;
use owo_colors::{OwoColorize as _, Style};

use super::show::Show;

/// Writes events, and keeps what the summary needs.
#[derive(Debug)]
pub(super) struct Table<W> {
    show: Show,
    out: W,
    totals: Totals,
}

/// What became of the objects of one run; an object that was met several times counts by its last settlement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
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
    pub(super) fn found(&self) -> usize {
        self.last.len()
    }

    /// Objects whose last settlement was this one.
    pub(super) fn count(&self, settlement: Settlement) -> usize {
        self.last
            .values()
            .filter(|outcome| outcome.settlement == settlement)
            .count()
    }

    /// Objects that nobody replaced and that lie in the inbox still.
    pub(super) fn left(&self) -> usize {
        self.found()
            - self.count(Settlement::Processed)
            - self.count(Settlement::Failed)
            - self.count(Settlement::Superseded)
    }

    /// The failed objects and those left, with their reasons, in name order.
    fn remarkable(&self) -> impl Iterator<Item = &Outcome> {
        self.last.values().filter(|outcome| {
            !matches!(
                outcome.settlement,
                Settlement::Processed | Settlement::Superseded
            )
        })
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (processed, failed) = (
            self.count(Settlement::Processed),
            self.count(Settlement::Failed),
        );
        write!(
            f,
            "{} found, {processed} processed, {failed} failed",
            self.found()
        )?;
        if self.left() > 0 {
            write!(f, ", {} left in the inbox", self.left())?;
        }
        writeln!(f)?;
        for outcome in self.remarkable() {
            writeln!(
                f,
                "  {} {}: {}",
                word(outcome.settlement),
                escape(&outcome.name),
                escape(&outcome.reason)
            )?;
        }
        Ok(())
    }
}

impl<W: Write> Table<W> {
    /// A table on `out`.
    pub(super) fn new(show: Show, out: W) -> Self {
        Self {
            show,
            out,
            totals: Totals::default(),
        }
    }

    /// What was seen so far.
    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Shows one event.
    pub(super) fn event(&mut self, response: &PollResponse) -> std::io::Result<()> {
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

    /// Shows the counts, and each object that was not processed with its reason. Piped, people read it on stderr.
    pub(super) fn summary(&mut self) -> std::io::Result<()> {
        let text = self.totals.to_string();
        match self.show {
            Show::Table { .. } if self.totals.found() == 0 => write!(self.out, "{text}"),
            Show::Table { .. } => write!(self.out, "\n{text}"),
            Show::Json => {
                let totals = &self.totals;
                let summary = serde_json::json!({ "summary": {
                    "found": totals.found(),
                    "processed": totals.count(Settlement::Processed),
                    "failed": totals.count(Settlement::Failed),
                    "left": totals.left(),
                }});
                writeln!(self.out, "{summary}")?;
                write!(std::io::stderr(), "{text}")
            }
        }
    }

    fn row(&mut self, settled: &ObjectSettled, colour: bool) -> std::io::Result<()> {
        let object = settled.object.clone().unwrap_or_default();
        let style = if colour {
            style(settled.settlement())
        } else {
            Style::new()
        };
        let word = format!("{:<10}", word(settled.settlement()));
        let took = settled.duration.as_ref().map(took).unwrap_or_default();
        let remark = if settled.summary.is_empty() {
            &settled.reason
        } else {
            &settled.summary
        };
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
        Settlement::Enqueued | Settlement::AlreadyEnqueued => "enqueued",
        Settlement::Unspecified => "?",
    }
}

fn style(settlement: Settlement) -> Style {
    let style = Style::new();
    match settlement {
        Settlement::Processed => style.green(),
        Settlement::Failed | Settlement::Stopped => style.red(),
        Settlement::Retry | Settlement::Held => style.yellow(),
        Settlement::Superseded
        | Settlement::Planned
        | Settlement::Enqueued
        | Settlement::AlreadyEnqueued
        | Settlement::Unspecified => style.dimmed(),
    }
}

fn took(duration: &brigade_proto::Duration) -> String {
    let took = Duration::new(
        duration.seconds.try_into().unwrap_or(0),
        duration.nanos.try_into().unwrap_or(0),
    );
    format!("{took:.0?}")
}
