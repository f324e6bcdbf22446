//! The clock as a port, so that a poll can be run in simulated time.

use std::fmt;

use jiff::Timestamp;

/// Tells the time of day. Elapsed time is tokio's, which tests can pause.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
