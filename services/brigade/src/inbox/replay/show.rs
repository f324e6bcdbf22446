//! Shows a replay: its results on stdout, its progress on stderr.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use brigade_proto::v1::{
    ReplayObjectsResponse, ReplayResult, ReplayedObject, replay_objects_response::Event,
};
use brigade_storage::object::escape;
use owo_colors::Style;

use super::stream::Tally;
use crate::inbox::{
    out::{Out, Stop, note},
    text::{number, objects},
};

/// On a terminal a dry run names so many objects.
const NAMED: u64 = 100;
/// Progress is repainted so often at most.
const REPAINT: Duration = Duration::from_millis(100);

/// Prints what was not moved and why; in a dry run, what would be moved too.
#[derive(Debug)]
pub(super) struct Show {
    out: Out,
    json: bool,
    is_dry_run: bool,
    named: u64,
    progress: Progress,
}

/// One line on a terminal that is repainted.
#[derive(Debug)]
pub(super) struct Progress {
    is_terminal: bool,
    done: u64,
    scanned: i64,
    painted: Option<Instant>,
}

/// The result of an object that was not moved, and its name and why.
pub(super) fn skipped(replayed: &ReplayedObject) -> (String, String) {
    let path = replayed.object.as_ref().map(|info| &*info.path).unwrap_or_default();
    let result = replayed.result().as_str_name().trim_start_matches("REPLAY_RESULT_");
    let word = format!("{:<10}", result.to_lowercase());
    (word, format!("{}: {}", escape(path), escape(&replayed.reason)))
}

// === impl Show ===

impl Show {
    pub(super) fn new(out: Out, json: bool, is_dry_run: bool) -> Self {
        Self { out, json, is_dry_run, named: 0, progress: Progress::on_stderr() }
    }

    pub(super) fn event(&mut self, response: &ReplayObjectsResponse) -> Result<(), Stop> {
        if self.json {
            self.out.json(response)?;
            self.out.flush()?;
        } else if let Some(Event::Object(replayed)) = &response.event {
            self.object(replayed)?;
        }
        self.progress.event(response);
        Ok(())
    }

    fn object(&mut self, replayed: &ReplayedObject) -> Result<(), Stop> {
        let line = match replayed.result() {
            ReplayResult::Replayed => return Ok(()),
            ReplayResult::Planned => {
                self.named += 1;
                if self.out.is_terminal() && self.named > NAMED {
                    return Ok(());
                }
                let path = replayed.object.as_ref().map(|info| &*info.path).unwrap_or_default();
                let (name, destination) = (escape(path), escape(&replayed.destination));
                format!("planned     {name} -> {destination}")
            }
            _ => {
                let (word, why) = skipped(replayed);
                format!("{}  {why}", self.out.styled(&word, Style::new().yellow()))
            }
        };
        self.progress.clear();
        self.out.line(&line)?;
        self.out.flush()
    }

    /// The counts.
    pub(super) fn end(&mut self, tally: &Tally) -> Result<(), Stop> {
        self.progress.clear();
        if self.is_dry_run && self.out.is_terminal() && self.named > NAMED {
            note(&format!("… and {} more", number(self.named - NAMED)));
        }
        if !self.json && tally.moved > 0 {
            let moved = objects(tally.moved);
            let verb = if self.is_dry_run { "would move" } else { "moved" };
            let skipped = match tally.skipped() {
                0 => String::new(),
                skipped => format!("; {} not{}", number(skipped), tally.reasons()),
            };
            self.out.line(&format!("{moved} {verb} back into the inbox{skipped}"))?;
        }
        self.out.flush()
    }
}

// === impl Progress ===

impl Progress {
    pub(super) fn on_stderr() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), done: 0, scanned: 0, painted: None }
    }

    pub(super) fn event(&mut self, response: &ReplayObjectsResponse) {
        match &response.event {
            Some(Event::Object(_)) => self.done += 1,
            Some(Event::Progress(progress)) => self.scanned = progress.scanned,
            _ => return,
        }
        if self.is_terminal && self.painted.is_none_or(|at| at.elapsed() >= REPAINT) {
            let (done, scanned) = (number(self.done), number(self.scanned));
            let _ = write!(io::stderr(), "\r\x1b[K{done} done, {scanned} looked at");
            self.painted = Some(Instant::now());
        }
    }

    /// Removes the line, so that others can be written.
    pub(super) fn clear(&mut self) {
        if self.painted.take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
