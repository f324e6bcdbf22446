//! How long the worker takes for an object that it accepts, so that nothing is begun which cannot end.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Calls that count.
const KEPT: usize = 100;

/// When all of them are there, one more changes little: the median is found once in so many calls.
const EVERY: u64 = 10;

/// The times of the last accepted calls of this instance.
#[derive(Debug, Default)]
pub(crate) struct CallTimes(Mutex<Times>);

#[derive(Debug, Default)]
struct Times {
    last: VecDeque<Duration>,
    recorded: u64,
    median: Option<Duration>,
}

// === impl CallTimes ===

impl CallTimes {
    pub(crate) fn record(&self, took: Duration) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.last.truncate(KEPT - 1);
        times.last.push_front(took);
        times.recorded += 1;
        if times.last.len() == KEPT && !times.recorded.is_multiple_of(EVERY) {
            return;
        }
        let mut all: Vec<_> = times.last.iter().copied().collect();
        let middle = all.len() / 2;
        times.median = Some(*all.select_nth_unstable(middle).1);
    }

    /// Nothing before the first one.
    pub(crate) fn median(&self) -> Option<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).median
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_that_of_the_last_hundred_accepted_calls() {
        let times = CallTimes::default();
        assert_eq!(times.median(), None);
        for seconds in [1, 90, 2] {
            times.record(Duration::from_secs(seconds));
        }
        assert_eq!(times.median(), Some(Duration::from_secs(2)));
        for _ in 0..KEPT {
            times.record(Duration::from_secs(7));
        }
        assert_eq!(times.median(), Some(Duration::from_secs(7)));
    }
}
