//! What one poll is to do, and until when.

use std::time::Duration;

use brigade_proto::v1::PollRequest;
use tokio::time::Instant;

use super::{Parts, Trigger};
use crate::error::PollError;

/// Kept back from a poll's deadline for moving what was answered last.
const SETTLING: Duration = Duration::from_secs(5);

/// A call that may take this much less than the first one of a poll counts as a whole one.
const TOLERANCE: Duration = Duration::from_secs(1);

/// A request, checked and resolved against the budgets.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) prefix: String,
    pub(crate) max_objects: u64,
    pub(crate) dry_run: bool,
    pub(crate) explain: bool,
    deadline: Instant,
    process_timeout: Duration,
    whole_call: Duration,
}

// === impl Plan ===

impl Plan {
    pub(crate) fn of(
        parts: &Parts,
        request: &PollRequest,
        trigger: &Trigger,
    ) -> Result<Self, PollError> {
        let max_objects = u64::try_from(request.max_objects).map_err(|_| PollError::Invalid {
            field: "max_objects",
            why: format!("{} is negative; 0 means no limit", request.max_objects),
        })?;
        let budgets = &parts.budgets;
        let limit = budgets.max_objects.unwrap_or(u64::MAX);
        let time = trigger
            .deadline
            .unwrap_or(Duration::MAX)
            .min(budgets.poll_deadline);
        Ok(Self {
            prefix: format!("{}{}", parts.settler.inbox.prefix, request.prefix),
            max_objects: if max_objects == 0 {
                limit
            } else {
                max_objects.min(limit)
            },
            dry_run: request.dry_run,
            explain: request.explain,
            deadline: Instant::now() + time,
            process_timeout: budgets.process_timeout,
            whole_call: budgets.process_timeout.min(time.saturating_sub(SETTLING)),
        })
    }

    /// Whether nothing that began in `wait` from now could end before the poll's deadline.
    pub(crate) fn is_over_in(&self, wait: Duration) -> bool {
        self.left() <= wait
    }

    /// What a call that begins now may take: its own budget, or what the poll has left.
    pub(crate) fn call_time(&self) -> Duration {
        self.process_timeout.min(self.left())
    }

    /// Whether a call of this length had all the time that a poll can give.
    ///
    /// One that was cut short by the poll's own deadline says nothing about its object. In the next polls the object
    /// comes to the front of the listing, so it gets a whole call in the end.
    pub(crate) fn is_whole(&self, call_time: Duration) -> bool {
        call_time + TOLERANCE >= self.whole_call
    }

    /// How long something may still begin.
    pub(crate) fn left(&self) -> Duration {
        self.deadline
            .saturating_duration_since(Instant::now() + SETTLING)
    }
}
