//! Counts consecutive failures that are no object's fault.

use std::sync::atomic::{AtomicU32, Ordering};

/// Opens after a number of failures without a success in between. Each poll has its own, and ends when it opens.
#[derive(Debug)]
pub(crate) struct ConsecutiveFailures {
    limit: u32,
    failures: AtomicU32,
}

impl ConsecutiveFailures {
    pub(crate) fn new(limit: u32) -> Self {
        Self { limit, failures: AtomicU32::new(0) }
    }

    pub(crate) fn record_success(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// Whether this failure opens it.
    pub(crate) fn record_failure(&self) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= self.limit
    }

    /// The failures that open it.
    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_at_the_limit_and_a_success_resets_it() {
        let failures = ConsecutiveFailures::new(3);
        assert!(!failures.record_failure() && !failures.record_failure());
        failures.record_success();
        assert!(
            !failures.record_failure() && !failures.record_failure() && failures.record_failure()
        );
    }
}
