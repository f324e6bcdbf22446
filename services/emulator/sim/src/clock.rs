//! Time for a simulation, which must not come from the system.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

/// Tells the simulated server's time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Now, by the server's clock.
    fn now(&self) -> Timestamp;
}

/// Runs with tokio's clock, so it stands still and jumps with paused time.
#[derive(Debug)]
pub struct TokioClock {
    begin: Instant,
}

impl TokioClock {
    /// Where the clock begins: 2026-01-01T00:00:00Z.
    pub const START: Timestamp = Timestamp::constant(1_767_225_600, 0);

    /// A clock that begins to run now.
    pub fn new() -> Self {
        Self {
            begin: Instant::now(),
        }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        later(Self::START, self.begin.elapsed())
    }
}

/// Moves when told to.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Timestamp>,
}

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self {
            now: Mutex::new(now),
        }
    }

    /// Lets `by` pass.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = later(*now, by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_tokio_clock_stands_still_and_jumps_with_paused_time() {
        let clock = TokioClock::new();
        assert_eq!(clock.now(), TokioClock::START);
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!(clock.now().to_string(), "2026-01-01T00:00:01.5Z");
    }

    #[test]
    fn the_manual_clock_moves_when_told_to() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(3));
        assert_eq!(clock.now().as_second(), 3);
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
    }
}
