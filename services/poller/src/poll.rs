//! One poll: scan, filter, dispatch, verdict, settle, report.

mod course;
mod plan;
mod work;

use std::{sync::Arc, time::Duration};

use brigade_proto::v1::{EndReason, PollRequest, PollStarted};
use brigade_storage::object::escape;
use tokio::{
    sync::{Semaphore, broadcast, mpsc},
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use crate::{
    clock::Clock,
    dispatch::Worker,
    error::PollError,
    filter::Filters,
    flight::Flights,
    lease::{Acquired, Keeper},
    one::{Landed, ObjectRef},
    report::{Events, Reporter},
    settle::Settler,
    tasks::Queue,
    wire,
};

pub(crate) use course::{Course, Slot};
pub(crate) use plan::Plan;
pub(crate) use work::Ends;
use work::work;

/// Events that a slow listener may be behind before the poll begins nothing more until it has caught up.
const BEHIND: usize = 256;

/// Polls one inbox, and takes single objects of it that somebody names.
#[derive(Clone, Debug)]
pub struct Poller {
    pub(crate) parts: Arc<Parts>,
    pub(crate) shared: Shared,
    pub(crate) shutdown: CancellationToken,
    pub(crate) running: TaskTracker,
}

/// What all polls and events of one instance share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// One for each object in flight.
    pub(crate) slots: Arc<Semaphore>,
    /// Which objects are at work.
    pub(crate) flights: Flights<Landed>,
}

/// What a poller is made of.
#[derive(Debug)]
pub struct Parts {
    /// Which objects are work.
    pub filters: Filters,
    /// Moves them.
    pub settler: Settler,
    /// Processes them.
    pub worker: Arc<dyn Worker>,
    /// Where polls put objects instead of asking the worker; whoever is named one asks all the same.
    pub queue: Option<Arc<dyn Queue>>,
    /// Limits of one poll.
    pub budgets: Budgets,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Whether polls of one inbox keep out of each other's way.
    pub lease: bool,
    /// Sees the events of every poll, whoever asked for it.
    pub observer: Option<broadcast::Sender<brigade_proto::v1::PollResponse>>,
}

/// Limits of one poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Objects in flight at once.
    pub concurrency: usize,
    /// For one call of the worker.
    pub process_timeout: Duration,
    /// For a whole poll, unless its caller's own deadline is sooner.
    pub poll_deadline: Duration,
    /// Objects handed to the worker in one poll, unless the request wants fewer.
    pub max_objects: Option<u64>,
    /// How often the worker is asked about one object before it counts as failed.
    pub max_attempts: u32,
    /// Failures on the way to the worker, or to the storage, in a row, that end a poll.
    pub breaker: u32,
}

/// What asked for a poll or an object, and how long it waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trigger {
    /// `grpc`, `http`, `scheduler`, `tasks`, `pubsub`, `eventarc`.
    pub kind: &'static str,
    /// Which one of its kind: the Scheduler job, the Tasks queue, the subscription.
    pub name: String,
    /// What it calls this request: the schedule time, the task, the message.
    pub id: String,
    /// How often it has sent this one before, or for Pub/Sub the number of this delivery, if it says so.
    pub attempt: Option<u64>,
    /// Pub/Sub's ordering key.
    pub ordering_key: String,
    /// The caller's own deadline.
    pub deadline: Option<Duration>,
}

impl Trigger {
    /// What every log line of an object says that this trigger named.
    pub(crate) fn span(&self, named: &ObjectRef) -> tracing::Span {
        tracing::info_span!(
            "event",
            trigger = self.kind,
            name = %escape(&self.name),
            id = %escape(&self.id),
            attempt = self.attempt,
            ordering_key = %escape(&self.ordering_key),
            object = %escape(&format!("gs://{}/{}", named.bucket, named.name)),
            generation = named.generation,
        )
    }
}

impl Poller {
    /// A poller of these parts. `shutdown` ends its polls early: nothing new is dispatched.
    pub fn new(parts: Parts, shutdown: CancellationToken) -> Self {
        let slots = parts.budgets.concurrency.min(Semaphore::MAX_PERMITS);
        Self {
            parts: Arc::new(parts),
            shared: Shared {
                slots: Arc::new(Semaphore::new(slots)),
                flights: Flights::default(),
            },
            shutdown,
            running: TaskTracker::new(),
        }
    }

    /// Starts a poll. Dropping the events cancels it: nothing new is dispatched, objects in flight settle.
    pub fn start(&self, request: &PollRequest, trigger: &Trigger) -> Result<Events, PollError> {
        let (poll, listener) = self.prepare(request, trigger)?;
        self.running.spawn(poll);
        Ok(listener)
    }

    /// A poll that nobody runs yet, and its events. To drop it half way is to crash: whatever it was at is left as it
    /// is, for the next poll.
    pub fn prepare(
        &self,
        request: &PollRequest,
        trigger: &Trigger,
    ) -> Result<(impl Future<Output = ()> + Send + 'static, Events), PollError> {
        let plan = Plan::of(&self.parts, request, trigger)?;
        let (events, listener) = mpsc::channel(BEHIND);
        let reporter = Reporter::new(events, self.parts.observer.clone());
        let poll_id = format!("{:016x}", fastrand::u64(..));
        let span = tracing::info_span!("poll", id = poll_id);
        let started = PollStarted {
            poll_id,
            inbox: self.parts.settler.inbox.to_string(),
            trigger: trigger.kind.to_owned(),
            trigger_name: trigger.name.clone(),
            trigger_id: trigger.id.clone(),
            start_time: Some(wire::timestamp(self.parts.clock.now())),
        };
        let poll = run(
            self.parts.clone(),
            self.shared.clone(),
            plan,
            reporter,
            started,
            self.shutdown.clone(),
        );
        Ok((poll.instrument(span), listener))
    }

    /// Waits until every poll has ended. Call it after the shutdown was asked for.
    pub async fn drained(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

/// One poll, from its first event to its last.
async fn run(
    parts: Arc<Parts>,
    shared: Shared,
    plan: Plan,
    mut reporter: Reporter,
    started: PollStarted,
    shutdown: CancellationToken,
) {
    let began = Instant::now();
    let holder = started.poll_id.clone();
    reporter.started(started);
    match leased(&parts, &shared, plan, &mut reporter, &holder, shutdown).await {
        Ok(reason) => reporter.finished(reason, began.elapsed()).await,
        Err(error) => reporter.broken(error).await,
    }
}

/// The work, under the inbox's lease. A dry run changes nothing, and needs none.
async fn leased(
    parts: &Parts,
    shared: &Shared,
    plan: Plan,
    reporter: &mut Reporter,
    holder: &str,
    shutdown: CancellationToken,
) -> Result<EndReason, PollError> {
    let budgets = &parts.budgets;
    let needs_lease = parts.lease && !plan.dry_run;
    let course = Course::new(plan, shared.slots.clone(), budgets.breaker);
    let ends = Ends {
        shutdown,
        lost: CancellationToken::new(),
    };
    if !needs_lease {
        return work(parts, &shared.flights, &course, reporter, &ends).await;
    }
    let settler = &parts.settler;
    let keeper = Keeper::new(settler.source.clone(), &settler.inbox, parts.clock.clone());
    let Ok(acquired) = timeout(course.plan.left(), keeper.acquire(holder)).await else {
        // What may have been written yet expires.
        return Ok(EndReason::Deadline);
    };
    let mut lease = match acquired? {
        Acquired::Ours(lease) => lease,
        Acquired::Held { by } => {
            tracing::info!(poll = by, "another poll is at work on this inbox");
            return Ok(EndReason::AlreadyRunning);
        }
    };
    let ended = tokio::select! {
        biased;
        () = lease.keep(&ends.lost) => Ok(EndReason::LeaseLost),
        ended = work(parts, &shared.flights, &course, reporter, &ends) => ended,
    };
    lease.release().await;
    ended
}

#[cfg(test)]
mod tests;
