//! How far a job is: for the log while it runs, and for the reason when its time runs out.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Job;
use crate::text;

/// A line of progress in the log, at most this often for each job.
const EVERY: Duration = Duration::from_secs(10);
/// Bytes of what is said; it may become a failed object's reason.
const SHOWN: usize = 256;

/// How far a job is.
#[derive(Default)]
pub(crate) struct Progress(Mutex<State>);

/// What can be asked how far it is.
type Ask = Box<dyn Fn() -> Option<String> + Send>;

#[derive(Default)]
struct State {
    said: String,
    asked: Option<Ask>,
    /// Bytes read, of how many.
    read: Option<(u64, u64)>,
    logged: Option<Instant>,
}

// === impl Job ===

impl Job {
    /// Says how far it is, in a few words: "fold 3 of 5". The log has it, at most every 10 s; and when the time runs out,
    /// the answer says what was said last. Without a word of the processor's own it is how much was read.
    pub fn progress(&self, words: impl fmt::Display) {
        if let Some(progress) = self.progress.say(&words.to_string()) {
            let remaining = self.remaining();
            tracing::info!(key = self.escaped_key(), progress, ?remaining, "at work");
        }
    }

    /// Lets `ask` say how far it is, whenever somebody wants to know.
    pub(crate) fn progress_is(&self, ask: impl Fn() -> Option<String> + Send + 'static) {
        self.progress
            .with(|state| state.asked = Some(Box::new(ask)));
    }
}

// === impl Progress ===

impl Progress {
    /// Keeps the first line, and returns it when it is time for a line in the log.
    fn say(&self, words: &str) -> Option<String> {
        let line = text::lines(words.as_bytes()).into_iter().next();
        self.with(|state| {
            text::cut(&line.unwrap_or_default(), SHOWN).clone_into(&mut state.said);
            let now = Instant::now();
            let due = state.logged.is_none_or(|logged| now - logged >= EVERY);
            due.then(|| {
                state.logged = Some(now);
                state.said.clone()
            })
        })
    }

    pub(super) fn read(&self, bytes: u64, of: u64) {
        self.with(|state| state.read = Some((bytes, of)));
    }

    /// What was said last, or how much was read; nothing when there is neither.
    pub(crate) fn last(&self) -> Option<String> {
        self.with(|state| {
            let asked = state.asked.as_ref().and_then(|ask| ask());
            let said = Some(state.said.clone()).filter(|said| !said.is_empty());
            let read = || {
                let (bytes, of) = state.read?;
                Some(format!("{bytes} of {of} bytes were read"))
            };
            asked.or(said).or_else(read)
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.last()).finish()
    }
}
