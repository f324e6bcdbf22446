//! Shows a poll's events: a table on a terminal, one JSON object a line otherwise.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::{self, IsTerminal as _, Write},
    time::Duration,
};

use brigade_emulator::storage::BeingWritten;
use brigade_proto::v1::{
    BrakeReason, Filter, LeaseHolder, ObjectSettled, ObjectSkipped, PollFinished, PollResponse,
    Settlement, poll_response::Event,
};
use brigade_storage::object::escape;
use owo_colors::{OwoColorize as _, Style};

/// Shown when the brake goes on.
const BRAKE: &str = "brake      the program failed on many different files in a row and on none succeeded; the others stay in the inbox \
     until it, its script or the inbox changes:";

/// Shown for a file that is no object yet.
const BEING_WRITTEN: &str = "still being written; a program has it open or has just changed it";
/// A file that comes to rest within this time is not shown.
const SHORT: Duration = Duration::from_secs(2);

/// How settlements are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// A table, in colour or without.
    Table { colour: bool },
    /// One JSON object a line, the contract's own messages.
    Json,
}

impl Show {
    /// A table on a terminal, JSON when it is asked for or piped. `NO_COLOR` is honoured (no-color.org).
    pub(super) fn on_stdout(json: bool) -> Self {
        if json || !io::stdout().is_terminal() {
            return Self::Json;
        }
        Self::Table { colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) }
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
        self.settled.insert((object.name, object.generation), settled.clone());
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

impl fmt::Display for Totals {
    /// The counts, and below them the failed objects and those left, with their reasons, in name order.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
                writeln!(f, "  {word} {}: {}", escape(name), escape(&last.reason))?;
            }
        }
        for name in &self.being_written {
            writeln!(f, "  writing {}: {BEING_WRITTEN}", escape(name))?;
        }
        Ok(())
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
                writeln!(self.out, "  {BRAKE}")?;
                for BrakeReason { count, reason, example } in &brake.reasons {
                    writeln!(self.out, "    {count} × {}, such as {example}", escape(reason))?;
                }
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
        match self.show {
            Show::Table { .. } if totals.found() == 0 => write!(self.out, "{totals}"),
            Show::Table { .. } => write!(self.out, "\n{totals}"),
            Show::Json => {
                let summary = serde_json::json!({ "summary": {
                    "found": totals.found(),
                    "processed": totals.count(Settlement::Processed),
                    "failed": totals.count(Settlement::Failed),
                    "left": totals.left(),
                }});
                writeln!(self.out, "{summary}")?;
                write!(io::stderr(), "{totals}")
            }
        }
    }

    fn row(&mut self, settled: &ObjectSettled, colour: bool) -> io::Result<()> {
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
        writeln!(self.out, "  {word} {name:<32} {took:>8}  {remark}")?;
        self.out.flush()
    }
}

/// The word for a settlement, and its colour.
fn shown(settlement: Settlement) -> (&'static str, Style) {
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
    let took = Duration::new(
        duration.seconds.try_into().unwrap_or(0),
        duration.nanos.try_into().unwrap_or(0),
    );
    format!("{took:.0?}")
}
