//! Which files that other programs drop are objects: those that have rested and that no program has open for writing.
//!
//! A file that was renamed into place is complete, so it need not rest.

mod droppings;
#[cfg_attr(not(target_os = "linux"), path = "no_events.rs")]
mod events;
#[cfg(test)]
mod tests;
mod writers;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

pub(super) use self::droppings::is_dropping;
use self::{
    events::{Events, State},
    writers::Writers,
};
use super::files::Seen;

/// How long a file rests when the system tells whether a program has it open.
const REST: Duration = Duration::from_secs(1);
/// How long it rests when the system does not.
const LONG_REST: Duration = Duration::from_secs(5);

/// What is known of the files that other programs write.
#[derive(Debug)]
pub(super) struct Watch {
    rest: Duration,
    events: Option<Events>,
    writers: Option<Writers>,
    /// Files that are no objects yet, and since when that is known.
    pub(super) waiting: BTreeMap<String, Instant>,
}

impl Watch {
    /// Without a `rest`, that of this system.
    pub(super) fn open(root: &Path, rest: Option<Duration>) -> Self {
        let (events, writers) = (Events::open(root), Writers::open(root));
        let is_told = events.is_some() || writers.is_some();
        let rest = rest.unwrap_or(if is_told { REST } else { LONG_REST });
        Self { rest, events, writers, waiting: BTreeMap::new() }
    }

    /// Takes in what has happened, so that the system need not keep it, and forgets what the files' own times tell by now.
    pub(super) fn catch_up(&mut self) {
        if let Some(events) = &mut self.events {
            events.take_in();
            events.forget_renames(self.rest);
        }
    }

    /// Whether a file that is in this state may be read.
    pub(super) fn has_rested(&mut self, path: &Path, seen: Seen) -> bool {
        if self.rest.is_zero() {
            return true;
        }
        if let Some(events) = &mut self.events {
            events.take_in();
        }
        let checked_after = match self.events.as_ref().and_then(|events| events.state(path)) {
            Some(State::Writing) => return false,
            Some(State::Moved(at)) => at,
            None if self.age(seen) < self.rest => return false,
            // What is known of its writers is younger than its last change.
            None => {
                let now = Instant::now();
                now.checked_sub(self.rest / 2).unwrap_or(now)
            }
        };
        let writers = self.writers.as_mut();
        !writers.is_some_and(|writers| writers.have_open(path, checked_after))
    }

    /// How long ago the file changed.
    fn age(&self, seen: Seen) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let by_mtime = now.checked_sub(Duration::from_micros(seen.mtime.unsigned_abs()));
        let by_change = now.saturating_sub(seen.changed());
        match by_mtime {
            // A program may set the mtime before it has written everything.
            Some(age) if self.writers.is_none() && self.events.is_none() => age.min(by_change),
            Some(age) => age,
            // An mtime in the future tells nothing.
            None => by_change,
        }
    }
}
