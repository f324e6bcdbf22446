//! Shows a poll's events: a table on a terminal, one JSON object a line otherwise.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, IsTerminal as _, Write},
    time::Duration,
};

use brigade_proto::v1::{
    BrakeReason, ObjectSettled, PollFinished, PollResponse, Settlement, poll_response::Event,
};
use brigade_storage::object::escape;
use owo_colors::{OwoColorize as _, Style};

/// Shown when the brake goes on.
const BRAKE: &str = "brake      the program failed on many different files in a row and on none succeeded; the others stay in the inbox \
     until it, its script or the inbox changes:";

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
}

/// The last settlement of each object of one run, by name and generation.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals(BTreeMap<(String, i64), ObjectSettled>);

// === impl Totals ===

impl Totals {
    fn keep(&mut self, settled: &ObjectSettled) {
        let object = settled.object.clone().unwrap_or_default();
        self.0.insert((object.name, object.generation), settled.clone());
    }

    /// Objects that were handed to the worker.
    fn found(&self) -> usize {
        self.0.len()
    }

    fn count(&self, settlement: Settlement) -> usize {
        let all = self.0.values().map(ObjectSettled::settlement);
        all.filter(|last| *last == settlement).count()
    }

    /// Objects that are still in the inbox and that no newer upload has replaced.
    pub(super) fn left(&self) -> usize {
        use Settlement::{Failed, Processed, Superseded};
        let gone = [Processed, Failed, Superseded].map(|settlement| self.count(settlement));
        self.found() - gone.iter().sum::<usize>()
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
        for ((name, _), last) in &self.0 {
            let settlement = last.settlement();
            if !matches!(settlement, Settlement::Processed | Settlement::Superseded) {
                let (word, _) = shown(settlement);
                writeln!(f, "  {word} {}: {}", escape(name), escape(&last.reason))?;
            }
        }
        Ok(())
    }
}

// === impl Table ===

impl<W: Write> Table<W> {
    pub(super) fn new(show: Show, out: W) -> Self {
        let totals = Totals::default();
        Self { show, out, totals }
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
