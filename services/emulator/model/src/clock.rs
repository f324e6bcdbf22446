//! What time it is, and where generations come from.

use std::fmt;

use jiff::Timestamp;

/// Tells the time, and gives generations: microseconds since 1970, strictly increasing even when the time stands still
/// or goes back.
pub struct Clock {
    now: Box<dyn Fn() -> Timestamp + Send>,
    last: i64,
}

impl Clock {
    /// A clock that shows the time of `now`.
    pub fn new(now: impl Fn() -> Timestamp + Send + 'static) -> Self {
        Self { now: Box::new(now), last: 0 }
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// The next generation, later than all before and later than `floor`.
    pub(crate) fn next(&mut self, floor: i64) -> i64 {
        let now = self.now().as_microsecond();
        self.last = now.max(self.last + 1).max(floor + 1);
        self.last
    }
}

impl Default for Clock {
    /// The machine's clock.
    fn default() -> Self {
        Self::new(Timestamp::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("last", &self.last).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_strictly_increase_and_pass_any_floor() {
        let mut clock = Clock::new(|| Timestamp::UNIX_EPOCH);
        let first = clock.next(0);
        let second = clock.next(0);
        assert!(second > first);
        let future = second + 1_000_000_000;
        assert_eq!(clock.next(future), future + 1);
        assert_eq!(clock.next(0), future + 2);
    }
}
