//! Whether anything is done on a connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until};

/// How often at most it is looked whether work has ended.
const LEAST: Duration = Duration::from_millis(100);

/// The calls of one connection that are worked on, and when that was last so.
pub(super) struct Activity {
    began: Instant,
    /// Milliseconds since `began`.
    last: AtomicU64,
    working: AtomicUsize,
}

/// One call. It is worked on until it is paused or dropped.
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
        }
    }

    /// Something was done just now.
    pub(super) fn touch(&self) {
        let now = self.began.elapsed().as_millis();
        self.last
            .store(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// Ends when nothing was done for this long.
    pub(super) async fn idle(&self, time: Duration) {
        loop {
            let Some(since) = self.idle_since() else {
                // What is worked on now cannot have been idle for that long any sooner.
                sleep(time.max(LEAST)).await;
                continue;
            };
            let end = since + time;
            if Instant::now() >= end {
                return;
            }
            sleep_until(end).await;
        }
    }

    /// When something was done last; nothing while it is done.
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
        Self {
            activity,
            paused: false,
        }
    }

    /// It is the client's turn: a client that does nothing then is idle, whatever it has begun.
    pub(super) fn pause(&mut self) {
        // First, so that who sees no work sees when it ended.
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
