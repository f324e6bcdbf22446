//! One run, and what is known of it when it is over.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use brigade_poller::filter::CONTROL_PREFIX;
use brigade_sim::{Actor, Change, Injected, Mutation, Place, UploadOutcome};
use brigade_storage::{Metadata, Object};
use jiff::{SignedDuration, Timestamp};

use crate::{
    heard::{Heard, Key},
    line::Seen,
    operators::Replayed,
    outputs::check::Written,
    planted::Planted,
    report::Report,
    schedule::Schedule,
    wire::Counts,
    worker::Troubles,
    world::World,
};

/// How often the worker is asked about one object.
pub(crate) const MAX_ATTEMPTS: u32 = 5;

/// How often a file may end the worker.
pub(crate) const MAX_LOSSES: u32 = 5;

/// What is known of a run when it is over.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) schedule: Schedule,
    pub(crate) history: Vec<Mutation>,
    pub(crate) fates: Vec<UploadOutcome>,
    pub(crate) heard: BTreeMap<Key, Heard>,
    /// What was seen of the calls.
    pub(crate) seen: Seen,
    /// What replays said.
    pub(crate) replayed: Vec<Replayed>,
    /// Deliveries of events.
    pub(crate) deliveries: u64,
    pub(crate) reports: Vec<Report>,
    /// What was left in the inbox after the first calm polls.
    pub(crate) left: Vec<Object>,
    /// What is written on each live object.
    pub(crate) written: BTreeMap<Place, Metadata>,
    /// Every version that a bucket still has, live or noncurrent.
    pub(crate) versions: BTreeSet<Place>,
    pub(crate) counts: Counts,
    pub(crate) injected: Injected,
    pub(crate) troubles: Troubles,
    /// What the workers wrote, in runs where they do.
    pub(crate) written_outputs: Option<Written>,
    /// Triggers that were delivered twice.
    pub(crate) duplicates: u64,
}

// === impl Run ===

impl Run {
    /// The run of a schedule, with a bug planted or without.
    pub(crate) fn from_schedule(schedule: Schedule, planted: Planted) -> Self {
        // All random numbers of the code under test come from this thread's generator.
        fastrand::seed(schedule.seed);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O can be made");
        // The simulation's clock begins within the runtime.
        runtime.block_on(async { World::new(schedule, planted).run().await })
    }

    /// What the polls said, without the events.
    pub(crate) fn polls(&self) -> impl Iterator<Item = &Report> {
        self.reports.iter().filter(|report| !report.is_events)
    }

    /// Everything that people uploaded.
    pub(crate) fn uploads(&self) -> u64 {
        let people = |fate: &&UploadOutcome| fate.by == Actor::External;
        self.fates.iter().filter(people).count() as u64
    }

    /// How often the worker gave its word on an upload once more than it had to.
    pub(crate) fn duplicate_calls(&self) -> u64 {
        let words = self.heard.values();
        words.map(|heard| u64::from((heard.accepted + heard.refused).saturating_sub(1))).sum()
    }

    /// 1 where calls of several polls about one object share a run.
    pub(crate) fn is_shared(&self) -> u64 {
        u64::from(self.written_outputs.is_some() && !self.schedule.is_one_by_one())
    }

    /// How many calls a copy takes at most.
    pub(crate) fn copy_calls(&self) -> u64 {
        /// The longest content that people upload in a calm run, in bytes.
        const CONTENT: u64 = 16;
        let elsewhere = self.schedule.processed_elsewhere || self.schedule.failed_elsewhere;
        let steps = self.schedule.rewrite_step.map_or(1, |step| CONTENT.div_ceil(step));
        if elsewhere { steps } else { 0 }
    }

    /// How often a lease was written over another that was not renewed for as long as it lasts.
    pub(crate) fn expired_leases(&self) -> u64 {
        let lasts = SignedDuration::from_mins(1);
        let mut written: Option<Timestamp> = None;
        let mut expired = 0;
        for mutation in &self.history {
            let own = mutation.by == Actor::Port && mutation.place.name.starts_with(CONTROL_PREFIX);
            if let Change::Created { replaced } = mutation.change
                && own
            {
                let late = written.is_some_and(|at| mutation.at.duration_since(at) > lasts);
                expired += u64::from(replaced.is_some() && late);
                written = Some(mutation.at);
            }
        }
        expired
    }

    /// Holds, retentions and notes that people set.
    pub(crate) fn meddled(&self) -> u64 {
        let updated = |mutation: &&Mutation| {
            mutation.by == Actor::External && matches!(mutation.change, Change::Updated { .. })
        };
        self.history.iter().filter(updated).count() as u64
    }

    /// Uploads that people replaced or deleted.
    pub(crate) fn taken_away(&self) -> u64 {
        let people = |fate: &&UploadOutcome| fate.removed_by == Some(Actor::External);
        self.fates.iter().filter(people).count() as u64
    }

    /// Settled objects that people moved back into the inbox.
    pub(crate) fn moved_back(&self) -> u64 {
        let back = |mutation: &&Mutation| {
            mutation.by == Actor::External
                && mutation.change == Change::Deleted
                && !mutation.place.name.starts_with("in/")
        };
        self.history.iter().filter(back).count() as u64
    }

    /// The same for the same run, and another one for another.
    pub(crate) fn trace(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        format!("{:?}", self.history).hash(&mut hasher);
        self.reports.hash(&mut hasher);
        hasher.finish()
    }
}
