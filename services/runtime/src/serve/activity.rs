//! Whether a connection is idle, and when it has to close.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

/// The shortest interval between two looks whether the work has ended.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// A connection is not evicted sooner: what its client has sent already may not have been read yet.
const MIN_LIFE: Duration = Duration::from_millis(100);

/// How many calls of one connection are at work, and when the last one was.
pub(super) struct Activity {
    began: Instant,
    /// Milliseconds since `began`.
    last: AtomicU64,
    working: AtomicUsize,
    eviction: Notify,
}

/// One call, at work until it is paused or dropped.
pub(super) struct Work {
    activity: Arc<Activity>,
    paused: bool,
}

// === impl Activity ===

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            last: AtomicU64::new(0),
            working: AtomicUsize::new(0),
            eviction: Notify::new(),
        }
    }

    /// Asks the connection to close.
    pub(super) fn evict(&self) {
        self.eviction.notify_one();
    }

    /// Resolves when the connection is evicted.
    pub(super) async fn evicted(&self) {
        self.eviction.notified().await;
        sleep_until(self.began + MIN_LIFE).await;
    }

    /// The connection is active now.
    pub(super) fn touch(&self) {
        let now = self.began.elapsed().as_millis();
        self.last.store(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// Resolves when the connection has been idle for this long.
    pub(super) async fn idle(&self, time: Duration) {
        loop {
            let Some(since) = self.idle_since() else {
                // A call that is at work now leaves the connection idle no sooner than that.
                sleep(time.max(MIN_INTERVAL)).await;
                continue;
            };
            let end = since + time;
            if Instant::now() >= end {
                return;
            }
            sleep_until(end).await;
        }
    }

    /// Since when the connection is idle; `None` while a call is at work.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        if self.working.load(Ordering::Acquire) > 0 {
            return None;
        }
        Some(self.began + Duration::from_millis(self.last.load(Ordering::Acquire)))
    }
}

// === impl Work ===

impl Work {
    pub(super) fn begin(activity: Arc<Activity>) -> Self {
        activity.working.fetch_add(1, Ordering::AcqRel);
        Self { activity, paused: false }
    }

    /// It is the client's turn: a client that does nothing then is idle.
    pub(super) fn pause(&mut self) {
        // First, so that a reader who sees no work sees when it ended.
        self.activity.touch();
        if !std::mem::replace(&mut self.paused, true) {
            self.activity.working.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// It is our turn again.
    pub(super) fn resume(&mut self) {
        if std::mem::replace(&mut self.paused, false) {
            self.activity.working.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.pause();
    }
}
