//! Where generations come from.

use jiff::Timestamp;

/// Microseconds since 1970, strictly increasing even when the machine's clock stands still or goes back.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: i64,
}

impl Clock {
    /// The next generation, later than all before and later than `floor`.
    pub(crate) fn next(&mut self, floor: i64) -> i64 {
        let now = Timestamp::now().as_microsecond();
        self.last = now.max(self.last + 1).max(floor + 1);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_strictly_increase_and_pass_any_floor() {
        let mut clock = Clock::default();
        let first = clock.next(0);
        let second = clock.next(0);
        assert!(second > first);
        let future = second + 1_000_000_000;
        assert_eq!(clock.next(future), future + 1);
        assert_eq!(clock.next(0), future + 2);
    }
}
