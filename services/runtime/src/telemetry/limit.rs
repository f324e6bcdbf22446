//! Few log lines about what strangers do as often as they like.

use std::{
    mem::take,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};

/// The lines of each interval that are logged; the others are counted.
const MAX_LINES: u32 = 5;
const INTERVAL: Duration = Duration::from_secs(1);

/// Logs a few lines each second, and one with the number of the others.
#[derive(Clone, Debug)]
pub struct LineLimit {
    /// What the others are.
    what: &'static str,
    interval: Arc<Mutex<Interval>>,
}

#[derive(Debug)]
struct Interval {
    began: Instant,
    logged: u32,
    counted: u64,
}

// === impl LineLimit ===

impl LineLimit {
    /// A limit; the others are told of in these words.
    pub fn new(what: &'static str) -> Self {
        let interval = Interval { began: Instant::now(), logged: 0, counted: 0 };
        Self { what, interval: Arc::new(Mutex::new(interval)) }
    }

    /// Whether a line is logged; otherwise it is counted.
    pub fn allows(&self) -> bool {
        let mut interval = self.interval();
        if interval.began.elapsed() >= INTERVAL {
            self.log_count(&mut interval);
            (interval.began, interval.logged) = (Instant::now(), 0);
        }
        if interval.logged < MAX_LINES {
            interval.logged += 1;
            return true;
        }
        interval.counted += 1;
        // Perhaps no other line comes.
        if interval.counted == 1
            && let Ok(runtime) = Handle::try_current()
        {
            let limit = self.clone();
            runtime.spawn(async move {
                sleep(INTERVAL).await;
                limit.log_count(&mut limit.interval());
            });
        }
        false
    }

    fn log_count(&self, interval: &mut Interval) {
        let count = take(&mut interval.counted);
        if count > 0 {
            tracing::info!(count, "{}", self.what);
        }
    }

    fn interval(&self) -> MutexGuard<'_, Interval> {
        self.interval.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
