//! A poller's process: what its polls and named objects share, and what ends it.

use brigade_poller::poller::Poller;
use tokio_util::sync::CancellationToken;

/// One process. Its polls, and objects that events name, share its limits and what it has in flight.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) id: u64,
    /// Runs polls.
    pub(crate) poller: Poller,
    /// Runs objects that events name: the same, but for a planted bug.
    pub(crate) named: Poller,
    pub(crate) ends: Ends,
}

/// What ends a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ends {
    /// It is asked to shut down.
    pub(crate) shutdown: CancellationToken,
    /// It is killed. What it still does then, reaches neither storage nor worker.
    pub(crate) dead: CancellationToken,
}

// === impl Instance ===

impl Instance {
    /// Whether it takes requests.
    pub(crate) fn is_up(&self) -> bool {
        !self.ends.shutdown.is_cancelled() && !self.ends.dead.is_cancelled()
    }
}
