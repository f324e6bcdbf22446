//! A job's progress: for the log while it runs, and for the reason when its time runs out.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Job;
use crate::text;

/// The shortest interval between two log lines of one job.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// Bytes of a message, which may become a failed object's reason.
const MAX_MESSAGE: usize = 256;

/// A job's progress.
#[derive(Default)]
pub(crate) struct Progress(Mutex<State>);

/// Reports the progress on demand.
type Reporter = Box<dyn Fn() -> Option<String> + Send>;

#[derive(Default)]
struct State {
    message: String,
    reporter: Option<Reporter>,
    /// Bytes read, of how many.
    read: Option<(u64, u64)>,
    logged: Option<Instant>,
}

// === impl Job ===

impl Job {
    /// Reports the progress in a few words: "fold 3 of 5". It is logged at most every 10 s; and when the time runs out, the
    /// answer names the last one. Without a report that is the number of bytes read.
    pub fn progress(&self, words: impl fmt::Display) {
        if let Some(progress) = self.context.progress.update(&words.to_string()) {
            let remaining = self.remaining();
            tracing::info!(key = self.request.key, progress, ?remaining, "at work");
        }
    }

    /// Uses `report` whenever the progress is needed.
    pub(crate) fn report_progress_with(
        &self,
        report: impl Fn() -> Option<String> + Send + 'static,
    ) {
        let progress = &self.context.progress;
        progress.with(|state| state.reporter = Some(Box::new(report)));
    }
}

// === impl Progress ===

impl Progress {
    /// Keeps the first line, and returns it when it is time for a line in the log.
    fn update(&self, words: &str) -> Option<String> {
        let line = text::lines(words.as_bytes()).into_iter().next();
        self.with(|state| {
            text::cut(&line.unwrap_or_default(), MAX_MESSAGE).clone_into(&mut state.message);
            let now = Instant::now();
            let is_old = |logged| now - logged >= LOG_INTERVAL;
            state.logged.is_none_or(is_old).then(|| {
                state.logged = Some(now);
                state.message.clone()
            })
        })
    }

    pub(super) fn read(&self, bytes: u64, of: u64) {
        self.with(|state| state.read = Some((bytes, of)));
    }

    /// The last message, or else the number of bytes read, if known.
    pub(crate) fn last(&self) -> Option<String> {
        self.with(|state| {
            let reporter = state.reporter.as_ref().and_then(|report| report());
            let message = Some(state.message.clone()).filter(|message| !message.is_empty());
            let read = || {
                let (bytes, of) = state.read?;
                Some(format!("{bytes} of {of} bytes were read"))
            };
            reporter.or(message).or_else(read)
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
