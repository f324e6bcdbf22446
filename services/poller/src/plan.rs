//! What one poll is to do, and until when.

use std::time::Duration;

use brigade_proto::v1::PollRequest;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::{
    config::{Budgets, Config},
    destination::hex,
    error::PollError,
    lease::Scope,
    name_glob::NameGlob,
    request::Trigger,
};

/// The end of a poll's time is kept for moving what was answered last.
pub(crate) const SETTLING: Duration = Duration::from_secs(5);

/// Longer globs are in the lease as a digest: its object's metadata have 8 KiB.
const MAX_GLOBS: usize = 256;

/// The least time of a poll.
const MIN_TIME: Duration = Duration::from_secs(6);

/// A poll waits no longer for a worker that is away: the next one tries again.
const MAX_AWAY: Duration = Duration::from_secs(45);

/// A request, checked and resolved against the configuration.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a field of the request")]
pub(crate) struct Plan {
    pub(crate) prefix: String,
    pub(crate) max_objects: u64,
    pub(crate) dry_run: bool,
    pub(crate) explain: bool,
    pub(crate) ignore_brake: bool,
    pub(crate) relist: bool,
    pub(crate) began: Instant,
    time: Duration,
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
        let began = Instant::now();
        Ok(Self {
            prefix: format!("{}{}", config.inbox.prefix, request.prefix),
            max_objects: max_objects.unwrap_or(u64::MAX),
            dry_run: request.dry_run,
            explain: request.explain,
            ignore_brake: request.ignore_brake,
            relist: request.relist,
            began,
            time,
            deadline: began + time,
            process_timeout: budgets.process_timeout,
            full_call: budgets.process_timeout.min(time.saturating_sub(SETTLING)),
        })
    }

    /// The plan of an object that a caller has named at `arrived`, and waits for since.
    pub(crate) fn for_named(
        config: &Config,
        trigger: &Trigger,
        arrived: Instant,
    ) -> Result<Self, PollError> {
        let plan = Self::new(config, &PollRequest::default(), trigger)?;
        let Budgets { process_timeout, poll_deadline, .. } = config.budgets;
        // What a poll would give it: a sender that waits for less is no reason to fail an object.
        let full_call = process_timeout.min(poll_deadline.saturating_sub(SETTLING));
        Ok(Self { deadline: arrived + plan.time, full_call, ..plan })
    }

    /// The part of the inbox that it scans.
    pub(crate) fn scope(&self, config: &Config) -> Scope {
        let pattern = |glob: &Option<NameGlob>| {
            glob.as_ref().map(NameGlob::pattern).unwrap_or_default().to_owned()
        };
        let mut globs = format!("{} {}", pattern(&config.matching), pattern(&config.exclude));
        if globs.len() > MAX_GLOBS {
            globs = hex(&Sha256::digest(globs));
        }
        let prefix = config.inbox.below(&self.prefix).to_owned();
        Scope { prefix, globs: globs.trim().to_owned() }
    }

    /// Refuses a deadline that leaves no time for anything.
    pub(crate) fn check_time(&self) -> Result<(), PollError> {
        if self.time >= MIN_TIME {
            return Ok(());
        }
        Err(PollError::Invalid {
            field: "deadline",
            why: format!(
                "the call ends in {:.1?}, and a poll takes {MIN_TIME:?} at least: its last {SETTLING:?} are for moving \
                 objects; give the call more time",
                self.time
            ),
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

    /// Whether a call of this length had most of the time that a poll can give, whenever it began.
    ///
    /// One that the poll's own deadline cut much shorter says nothing about its object.
    pub(crate) fn is_full_call(&self, call_time: Duration) -> bool {
        call_time * 2 >= self.full_call
    }

    /// Whether a call of this length could end in most of the time that a poll can give.
    pub(crate) fn has_time_for(&self, call_time: Duration) -> bool {
        call_time < self.full_call / 10 * 9
    }

    /// How long calls may wait for a worker that is away.
    pub(crate) fn patience(&self) -> Duration {
        (self.time / 4).min(MAX_AWAY)
    }

    /// How long objects that may end the worker may take together.
    pub(crate) fn suspects_share(&self) -> Duration {
        self.time / 4
    }

    /// How long something may still begin.
    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now() + SETTLING)
    }
}
