//! Counts failures in a row that are no object's fault.

use std::sync::atomic::{AtomicU32, Ordering};

/// Opens after a number of failures with no success in between. A poll has one, and ends with it.
#[derive(Debug)]
pub(crate) struct Breaker {
    limit: u32,
    in_a_row: AtomicU32,
}

impl Breaker {
    /// One that opens at `limit` failures in a row.
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            limit,
            in_a_row: AtomicU32::new(0),
        }
    }

    /// Something worked.
    pub(crate) fn success(&self) {
        self.in_a_row.store(0, Ordering::Relaxed);
    }

    /// Something failed. Whether that was once too often.
    pub(crate) fn failure(&self) -> bool {
        self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1 >= self.limit
    }

    /// How many failures open it.
    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_at_the_limit_and_a_success_starts_anew() {
        let breaker = Breaker::new(3);
        assert!(!breaker.failure() && !breaker.failure());
        breaker.success();
        assert!(!breaker.failure() && !breaker.failure() && breaker.failure());
    }
}
