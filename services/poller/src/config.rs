//! What a poller does: from where to where, which objects, and within which limits.

use std::time::Duration;

use brigade_storage::Location;

use crate::name_glob::NameGlob;

/// The configuration of one poller.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where objects come from.
    pub inbox: Location,
    /// Where accepted objects go.
    pub processed: Location,
    /// Where refused objects go.
    pub failed: Location,
    /// The limits of one poll.
    pub budgets: Budgets,
    /// Every accepted object gets a mark, which costs an update each.
    pub mark_processed: bool,
    /// Younger objects are left alone, by polls and by events.
    pub min_age: Duration,
    /// Younger objects are left alone by polls: their events are still to come.
    pub poll_min_age: Duration,
    /// Matched against the name below the inbox; `*` stops at `/`, `**` does not.
    pub matching: Option<NameGlob>,
    /// The same; what it matches is left out.
    pub exclude: Option<NameGlob>,
    /// Whether empty objects are left out.
    pub skip_empty: bool,
    /// The pause before a poll that was asked to lists the inbox again.
    pub relist: Duration,
    /// In which order a poll passes objects to the worker.
    pub order: Order,
}

/// The order of the objects of one poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Order {
    /// By name, as they are listed. A poll that ended early goes on where it was.
    #[default]
    Name,
    /// By the time of their upload.
    Oldest,
}

/// The limits of one poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Objects in flight at once.
    pub concurrency: usize,
    /// For one call of the worker.
    pub process_timeout: Duration,
    /// For a whole poll, unless its caller's own deadline is sooner.
    pub poll_deadline: Duration,
    /// Objects dispatched in one poll, unless the request asks for fewer.
    pub max_objects: Option<u64>,
    /// After this many attempts an object counts as failed.
    pub max_attempts: u32,
    /// This many consecutive failures between poller and worker, or poller and storage, end a poll.
    pub breaker: u32,
    /// After this many lost calls that count against it an object counts as failed; 0: never.
    pub max_losses: u32,
    /// This many refusals of different objects in a row put the brake on; 0: never.
    pub max_refusals: u32,
}

// === impl Config ===

impl Config {
    /// Everything below `inbox`, moved to `processed/` and `failed/` of the same bucket, within the default limits.
    pub fn for_inbox(inbox: Location) -> Self {
        Self {
            processed: Location::new(&inbox.bucket, "processed/"),
            failed: Location::new(&inbox.bucket, "failed/"),
            inbox,
            budgets: Budgets::default(),
            mark_processed: false,
            min_age: Duration::ZERO,
            poll_min_age: Duration::ZERO,
            matching: None,
            exclude: None,
            skip_empty: false,
            relist: Duration::from_secs(2),
            order: Order::Name,
        }
    }

    /// Whether a settled object stays in the inbox's bucket in every case.
    pub(crate) fn is_one_bucket(&self) -> bool {
        [&self.processed, &self.failed].iter().all(|place| place.bucket == self.inbox.bucket)
    }
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            concurrency: 32,
            process_timeout: Duration::from_mins(10),
            poll_deadline: Duration::from_mins(10),
            max_objects: None,
            max_attempts: 5,
            breaker: 5,
            max_losses: 5,
            max_refusals: 25,
        }
    }
}
