//! The worker's process: how much it takes at once, and when it dies.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A process, which is started again whenever it has died.
#[derive(Debug)]
pub(crate) struct WorkerProcess {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: usize,
    /// Processes before this one.
    number: u64,
    back: Option<Instant>,
    /// Ends with this process; the next one has its own. (A watch channel wakes its receivers in no order that a seed repeats.)
    death: CancellationToken,
}

/// A call that the process has taken.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    process: &'a WorkerProcess,
    pub(crate) number: u64,
    pub(crate) death: CancellationToken,
}

/// Why it has not taken a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    Away,
    Full,
}

// === impl WorkerProcess ===

impl WorkerProcess {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default() }
    }

    pub(crate) fn take(&self, places: usize) -> Result<Taken<'_>, NotTaken> {
        if self.is_away() {
            return Err(NotTaken::Away);
        }
        let mut state = self.state();
        if state.calls >= places {
            return Err(NotTaken::Full);
        }
        state.calls += 1;
        Ok(Taken { process: self, number: state.number, death: state.death.clone() })
    }

    /// Ends every call in it. It is back after a while.
    pub(crate) fn die(&self, back_after: Duration) {
        let back = Instant::now() + back_after;
        let mut state = self.state();
        state.back = state.back.max(Some(back));
        state.number += 1;
        let death = std::mem::take(&mut state.death);
        drop(state);
        death.cancel();
    }

    pub(crate) fn is_away(&self) -> bool {
        self.state().back.is_some_and(|back| Instant::now() < back)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Taken ===

impl Taken<'_> {
    /// Ends with the process.
    pub(crate) async fn death(&self) {
        self.death.cancelled().await;
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.process.state().calls -= 1;
    }
}
