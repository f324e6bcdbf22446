//! Time for a simulation, which must not come from the system.

use jiff::Timestamp;
use tokio::time::Instant;

/// Runs with tokio's clock, so it stands still and jumps with paused time.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    begin: Instant,
}

impl TokioClock {
    /// Where the clock begins: 2026-01-01T00:00:00Z.
    pub const START: Timestamp = Timestamp::constant(1_767_225_600, 0);

    /// A clock that begins to run now.
    pub(crate) fn new() -> Self {
        Self { begin: Instant::now() }
    }

    /// Now, by the simulated server's clock.
    pub fn now(self) -> Timestamp {
        let elapsed = self.begin.elapsed();
        Self::START.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_tokio_clock_stands_still_and_jumps_with_paused_time() {
        let clock = TokioClock::new();
        assert_eq!(clock.now(), TokioClock::START);
        tokio::time::advance(std::time::Duration::from_millis(1_500)).await;
        assert_eq!(clock.now().to_string(), "2026-01-01T00:00:01.5Z");
    }
}
