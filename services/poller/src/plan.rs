//! What one poll is to do, and until when.

use std::time::Duration;

use brigade_proto::v1::PollRequest;
use tokio::time::Instant;

use crate::{config::Config, error::PollError, request::Trigger};

/// The end of a poll's time is kept for moving what was answered last.
const SETTLING: Duration = Duration::from_secs(5);

/// A call may have this much less time than the first one of a poll, and still counts as one with full time.
const TOLERANCE: Duration = Duration::from_secs(1);

/// A request, checked and resolved against the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) prefix: String,
    pub(crate) max_objects: u64,
    pub(crate) dry_run: bool,
    pub(crate) explain: bool,
    deadline: Instant,
    process_timeout: Duration,
    full_call: Duration,
}

// === impl Plan ===

impl Plan {
    /// Time starts here.
    pub(crate) fn new(
        config: &Config,
        request: &PollRequest,
        trigger: &Trigger,
    ) -> Result<Self, PollError> {
        let requested = u64::try_from(request.max_objects).map_err(|_| PollError::Invalid {
            field: "max_objects",
            why: format!("{} is negative; 0 means no limit", request.max_objects),
        })?;
        let budgets = &config.budgets;
        let limits = [Some(requested).filter(|&most| most > 0), budgets.max_objects];
        let max_objects = limits.into_iter().flatten().min();
        let time = trigger.deadline.unwrap_or(Duration::MAX).min(budgets.poll_deadline);
        Ok(Self {
            prefix: format!("{}{}", config.inbox.prefix, request.prefix),
            max_objects: max_objects.unwrap_or(u64::MAX),
            dry_run: request.dry_run,
            explain: request.explain,
            deadline: Instant::now() + time,
            process_timeout: budgets.process_timeout,
            full_call: budgets.process_timeout.min(time.saturating_sub(SETTLING)),
        })
    }

    /// Whether nothing that begins in `wait` from now could end before the poll's deadline.
    pub(crate) fn is_over_in(&self, wait: Duration) -> bool {
        self.time_left() <= wait
    }

    /// The time of a call that begins now: its own budget, or what the poll has left.
    pub(crate) fn call_time(&self) -> Duration {
        self.process_timeout.min(self.time_left())
    }

    /// Whether a call of this length had all the time that a poll can give.
    ///
    /// One that the poll's own deadline cut short says nothing about its object. In the next polls the object comes to
    /// the front of the listing, so it gets a full call in the end.
    pub(crate) fn is_full_call(&self, call_time: Duration) -> bool {
        call_time + TOLERANCE >= self.full_call
    }

    /// How long something may still begin.
    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now() + SETTLING)
    }
}
