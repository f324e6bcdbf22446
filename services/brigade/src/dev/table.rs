//! Shows a poll's events: a table on a terminal, one JSON object a line otherwise.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
    io::{self, IsTerminal as _, Write},
    time::Duration,
};

use brigade_emulator::storage::BeingWritten;
use brigade_proto::v1::{
    Brake, BrakeReason, Filter, LeaseHolder, ObjectSettled, ObjectSkipped, PollFinished,
    PollResponse, Settlement, poll_response::Event,
};
use brigade_storage::object::escape;
use brigade_ui::text;
use owo_colors::{OwoColorize as _, Style};

use crate::live::{columns, wrap};

/// Shown when the brake goes on.
const BRAKE: &str = "brake      the program failed on many different files in a row and on none succeeded; the others stay in the inbox \
     until it, its script or the inbox changes:";

/// Why a file is left that no poll has asked about.
const NOT_ASKED: &str = "the poll ended before the worker was asked";
/// Shown for a file that is no object yet.
const BEING_WRITTEN: &str = "still being written; a program has it open or has just changed it";
/// A file that comes to rest within this time is not shown.
const SHORT: Duration = Duration::from_secs(2);

/// How settlements are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// A table, in colour or without.
    Table { colour: bool },
    /// One JSON object a line, the contract's own messages.
    Json,
}

impl Show {
    /// A table on a terminal, JSON when it is asked for or piped.
    pub(crate) fn on_stdout(json: bool) -> Self {
        Self::text_unless(json || !io::stdout().is_terminal())
    }

    /// JSON, or a table that has colours on a terminal alone. `NO_COLOR` is honoured (no-color.org).
    pub(crate) fn text_unless(json: bool) -> Self {
        if json {
            return Self::Json;
        }
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::Table { colour: io::stdout().is_terminal() && !is_plain }
    }
}

/// Writes events, and keeps what the summary needs.
#[derive(Debug)]
pub(super) struct Table<W> {
    show: Show,
    out: W,
    totals: Totals,
    /// The files of which it has shown that they are being written.
    being_written: BTreeSet<String>,
}

/// What one run has come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    /// The last settlement of each object, by name and generation.
    settled: BTreeMap<(String, i64), ObjectSettled>,
    /// Files that were still being written at the end.
    being_written: Vec<String>,
}

// === impl Totals ===

impl Totals {
    fn keep(&mut self, settled: &ObjectSettled) {
        let object = settled.object.clone().unwrap_or_default();
        let key = (object.name, object.generation);
        // What the last poll said of it says more than that the next one would ask about it.
        if settled.settlement() == Settlement::Planned && self.settled.contains_key(&key) {
            return;
        }
        self.settled.insert(key, settled.clone());
    }

    /// Objects that were handed to the worker.
    fn found(&self) -> usize {
        self.settled.len()
    }

    fn count(&self, settlement: Settlement) -> usize {
        let all = self.settled.values().map(ObjectSettled::settlement);
        all.filter(|last| *last == settlement).count()
    }

    /// Whether any object failed.
    pub(super) fn has_failed(&self) -> bool {
        self.count(Settlement::Failed) > 0
    }

    /// Whether objects failed, and none was processed.
    pub(super) fn are_all_failed(&self) -> bool {
        self.has_failed() && self.count(Settlement::Processed) == 0
    }

    /// Objects that are still in the inbox and that no newer upload has replaced, and files that are being written.
    pub(super) fn left(&self) -> usize {
        use Settlement::{Failed, Processed, Superseded};
        let gone = [Processed, Failed, Superseded].map(|settlement| self.count(settlement));
        self.found() - gone.iter().sum::<usize>() + self.being_written.len()
    }
}

impl Totals {
    /// The counts, and below them the failed objects and those left, with their reasons, in name order.
    fn text(&self, width: usize) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let f = &mut text;
        let (processed, failed) =
            (self.count(Settlement::Processed), self.count(Settlement::Failed));
        let found = self.found();
        write!(f, "{found} found, {processed} processed, {failed} failed")?;
        if self.left() > 0 {
            write!(f, ", {} left in the inbox", self.left())?;
        }
        writeln!(f)?;
        for ((name, _), last) in &self.settled {
            let settlement = last.settlement();
            if !matches!(settlement, Settlement::Processed | Settlement::Superseded) {
                let (word, _) = shown(settlement);
                let reason = match (settlement, last.reason.as_str()) {
                    (Settlement::Planned, "") => NOT_ASKED,
                    (_, reason) => reason,
                };
                let line = format!("  {word} {}: {}", escape(name), escape(reason));
                writeln!(f, "{}", wrap(&line, 0, 4, width))?;
            }
        }
        for name in &self.being_written {
            writeln!(f, "  writing {}: {BEING_WRITTEN}", escape(name))?;
        }
        Ok(text)
    }
}

// === impl Table ===

impl<W: Write> Table<W> {
    pub(super) fn new(show: Show, out: W) -> Self {
        Self { show, out, totals: Totals::default(), being_written: BTreeSet::new() }
    }

    /// What it has shown so far.
    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Shows one event.
    pub(super) fn event(&mut self, response: &PollResponse) -> io::Result<()> {
        if let Some(Event::Settled(settled)) = &response.event {
            self.totals.keep(settled);
        }
        match (self.show, &response.event) {
            (Show::Json, _) => {
                serde_json::to_writer(&mut self.out, response)?;
                writeln!(self.out)
            }
            (Show::Table { colour }, Some(Event::Settled(settled))) => self.row(settled, colour),
            (
                Show::Table { .. },
                Some(Event::Finished(PollFinished { brake: Some(brake), .. })),
            ) => {
                writeln!(self.out, "  {BRAKE}\n{}", reasons(brake))?;
                self.out.flush()
            }
            (Show::Table { .. }, _) => Ok(()),
        }
    }

    /// Notes a file that is work, if not now: it is left unless a later poll settles it.
    pub(super) fn left_for_later(&mut self, skipped: ObjectSkipped) {
        let settlement = match skipped.filter() {
            Filter::Held => Settlement::Held,
            Filter::NotDue | Filter::InFlight | Filter::MinAge => Settlement::Retry,
            _ => return,
        };
        let object = skipped.object.unwrap_or_default();
        let key = (object.name.clone(), object.generation);
        self.totals.settled.entry(key).or_insert_with(|| ObjectSettled {
            object: Some(object),
            settlement: settlement.into(),
            reason: skipped.detail,
            ..ObjectSettled::default()
        });
    }

    /// Says which poll holds the lease that this one waits for. Beside JSON, which has it in `finished`, on stderr.
    pub(super) fn held_by(&mut self, holder: Option<&LeaseHolder>) -> io::Result<()> {
        let holder = holder.cloned().unwrap_or_default();
        let time = |at: Option<brigade_proto::Timestamp>| {
            let at = jiff::Timestamp::from_second(at.unwrap_or_default().seconds);
            at.unwrap_or_default()
        };
        let line = format!(
            "waiting    poll {} has the inbox since {}; its lease ends at {} unless it is renewed. Is another brigade dev \
             running over this directory?",
            holder.poll_id,
            time(holder.since),
            time(holder.until)
        );
        match self.show {
            Show::Table { .. } => writeln!(self.out, "  {line}"),
            Show::Json => writeln!(io::stderr(), "{line}"),
        }
    }

    /// Shows each file once while it is being written. Beside JSON this goes to stderr.
    pub(super) fn being_written(&mut self, files: &[BeingWritten]) -> io::Result<()> {
        self.being_written.retain(|shown| files.iter().any(|file| file.name == *shown));
        for file in files.iter().filter(|file| !file.has_rested && file.waited >= SHORT) {
            if self.being_written.insert(file.name.clone()) {
                let name = escape(&file.name).to_string();
                match self.show {
                    Show::Table { .. } => {
                        writeln!(self.out, "  writing    {name:<32} {:>8}  {BEING_WRITTEN}", "")?;
                    }
                    Show::Json => writeln!(io::stderr(), "writing {name}: {BEING_WRITTEN}")?,
                }
            }
        }
        Ok(())
    }

    /// Keeps what the run leaves to the programs that write it.
    pub(super) fn left_to_writers(&mut self, files: &[BeingWritten]) {
        self.totals.being_written = files.iter().map(|file| file.name.clone()).collect();
    }

    /// Shows the counts, and each object that was not processed with its reason. Beside JSON this text goes to stderr.
    pub(super) fn summary(&mut self) -> io::Result<()> {
        let totals = &self.totals;
        let width = if self.show == Show::Json { usize::MAX } else { columns() };
        let text = totals.text(width).map_err(io::Error::other)?;
        match self.show {
            Show::Table { .. } if totals.found() == 0 => write!(self.out, "{text}"),
            Show::Table { .. } => write!(self.out, "\n{text}"),
            Show::Json => {
                let summary = serde_json::json!({ "summary": {
                    "found": totals.found(),
                    "processed": totals.count(Settlement::Processed),
                    "failed": totals.count(Settlement::Failed),
                    "left": totals.left(),
                }});
                writeln!(self.out, "{summary}")?;
                write!(io::stderr(), "{text}")
            }
        }
    }

    fn row(&mut self, settled: &ObjectSettled, colour: bool) -> io::Result<()> {
        writeln!(self.out, "{}", row(settled, colour, columns()))?;
        self.out.flush()
    }
}

/// One settlement. A remark that does not fit on the line is below it, under the name.
pub(crate) fn row(settled: &ObjectSettled, colour: bool, width: usize) -> String {
    const INDENT: usize = 13;
    let object = settled.object.clone().unwrap_or_default();
    let (word, style) = shown(settled.settlement());
    let word = format!("{word:<10}");
    let word = word.style(if colour { style } else { Style::new() });
    let name = escape(&object.name).to_string();
    let took = settled.duration.as_ref().map(took).unwrap_or_default();
    let remark = match settled.summary.as_str() {
        "" => escape(&settled.reason),
        summary => escape(summary),
    };
    let (rest, remark) = (format!("{name:<32} {took:>8}"), remark.to_string());
    if INDENT + rest.chars().count() + 2 + remark.chars().count() <= width {
        return format!("  {word} {rest}  {remark}").trim_end().to_owned();
    }
    let (indent, remark) = (" ".repeat(INDENT), wrap(&remark, INDENT, INDENT, width));
    format!("  {word} {rest}\n{indent}{remark}")
}

/// Why the brake is on.
pub(crate) fn reasons(brake: &Brake) -> String {
    let line = |BrakeReason { count, reason, example }: &BrakeReason| {
        format!("    {count} × {}, such as {example}", escape(reason))
    };
    brake.reasons.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The word for a settlement, and its colour.
pub(crate) fn shown(settlement: Settlement) -> (&'static str, Style) {
    let style = Style::new();
    match settlement {
        Settlement::Processed => ("processed", style.green()),
        Settlement::Failed => ("failed", style.red()),
        Settlement::Stopped => ("stopped", style.red()),
        Settlement::Retry => ("retry", style.yellow()),
        Settlement::Held => ("held", style.yellow()),
        Settlement::Superseded => ("superseded", style.dimmed()),
        Settlement::Planned => ("waiting", style.dimmed()),
        Settlement::Enqueued | Settlement::AlreadyEnqueued => ("enqueued", style.dimmed()),
        Settlement::Unspecified => ("?", style.dimmed()),
    }
}

fn took(duration: &brigade_proto::Duration) -> String {
    format!("{:.0?}", text::duration(Some(duration)))
}
