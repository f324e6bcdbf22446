//! One poll: scan, filter, dispatch, verdict, settle, report.

use std::{sync::Arc, time::Duration};

use brigade_proto::v1::{EndReason, PollRequest, PollStarted};
use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::{broadcast, mpsc},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use crate::{
    clock::Clock,
    dispatch::Worker,
    error::PollError,
    filter::Filters,
    report::{Events, Reporter, Settled},
    scan::scan,
    settle::Settler,
    way::{Walked, Way},
    wire,
};

/// Kept back from a poll's deadline for moving what was answered last.
const SETTLING: Duration = Duration::from_secs(5);

/// Events that a slow listener may be behind before the poll waits for it.
const BEHIND: usize = 256;

/// Polls one inbox.
#[derive(Clone, Debug)]
pub struct Poller {
    parts: Arc<Parts>,
    shutdown: CancellationToken,
    running: TaskTracker,
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
    /// Limits of one poll.
    pub budgets: Budgets,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
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
}

/// Where a poll came from, and how long its caller waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trigger {
    /// `grpc`, `http`.
    pub kind: &'static str,
    /// The caller's own deadline.
    pub deadline: Option<Duration>,
}

impl Poller {
    /// A poller of these parts. `shutdown` ends its polls early: nothing new is dispatched.
    pub fn new(parts: Parts, shutdown: CancellationToken) -> Self {
        Self {
            parts: Arc::new(parts),
            shutdown,
            running: TaskTracker::new(),
        }
    }

    /// Starts a poll. Dropping the events cancels it: nothing new is dispatched, objects in flight settle.
    pub fn start(&self, request: &PollRequest, trigger: &Trigger) -> Result<Events, PollError> {
        let plan = Plan::of(&self.parts, request, trigger)?;
        let (events, listener) = mpsc::channel(BEHIND);
        let reporter = Reporter::new(events, self.parts.observer.clone());
        let poll_id = format!("{:016x}", fastrand::u64(..));
        let span = tracing::info_span!("poll", id = poll_id);
        let started = PollStarted {
            poll_id,
            inbox: self.parts.settler.inbox.to_string(),
            trigger: trigger.kind.to_owned(),
            start_time: Some(wire::timestamp(self.parts.clock.now())),
        };
        let poll = run(
            self.parts.clone(),
            plan,
            reporter,
            started,
            self.shutdown.clone(),
        );
        self.running.spawn(poll.instrument(span));
        Ok(listener)
    }

    /// Waits until every poll has ended. Call it after the shutdown was asked for.
    pub async fn drained(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

/// A request, checked and resolved against the budgets.
#[derive(Debug)]
struct Plan {
    prefix: String,
    max_objects: u64,
    dry_run: bool,
    explain: bool,
    deadline: Instant,
}

impl Plan {
    fn of(parts: &Parts, request: &PollRequest, trigger: &Trigger) -> Result<Self, PollError> {
        let max_objects = u64::try_from(request.max_objects).map_err(|_| PollError::Invalid {
            field: "max_objects",
            why: format!("{} is negative; 0 means no limit", request.max_objects),
        })?;
        let limit = parts.budgets.max_objects.unwrap_or(u64::MAX);
        let time = trigger
            .deadline
            .unwrap_or(Duration::MAX)
            .min(parts.budgets.poll_deadline);
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
        })
    }
}

/// One poll, from its first event to its last.
async fn run(
    parts: Arc<Parts>,
    plan: Plan,
    mut reporter: Reporter,
    started: PollStarted,
    shutdown: CancellationToken,
) {
    let began = Instant::now();
    reporter.started(started).await;
    match work(&parts, &plan, &mut reporter, &shutdown).await {
        Ok(reason) => reporter.finished(reason, began.elapsed()).await,
        Err(error) => reporter.broken(error).await,
    }
}

/// Keeps up to `concurrency` objects on their way until the listing or a budget ends. What is in flight when
/// something ends the poll early is settled all the same.
async fn work(
    parts: &Parts,
    plan: &Plan,
    reporter: &mut Reporter,
    shutdown: &CancellationToken,
) -> Result<EndReason, PollError> {
    let way = Way::new(parts, plan.dry_run);
    let mut listing = std::pin::pin!(scan(parts.settler.source.clone(), plan.prefix.clone()));
    let mut in_flight = FuturesUnordered::new();
    let mut end: Option<Result<EndReason, PollError>> = None;
    let mut dispatched = 0;
    loop {
        let room = end.is_none() && in_flight.len() < parts.budgets.concurrency;
        tokio::select! {
            biased;
            Some(walked) = in_flight.next() => {
                if let Err(error) = report(walked, reporter).await {
                    end = Some(Err(error));
                }
            }
            next = listing.next(), if room => match next.transpose() {
                Ok(None) => end = Some(Ok(EndReason::Complete)),
                Err(error) => end = Some(Err(error.into())),
                Ok(Some(object)) => {
                    reporter.listed();
                    if let Some(skip) = parts.filters.skip(&object, parts.clock.now()) {
                        reporter.skipped(&object, skip, plan.explain).await;
                    } else if let Some(reason) = early_end(plan, dispatched, reporter, shutdown) {
                        end = Some(Ok(reason));
                    } else {
                        dispatched += 1;
                        reporter.dispatched();
                        in_flight.push(way.walk(object, timeout(parts, plan)));
                    }
                }
            },
            else => break,
        }
    }
    end.unwrap_or(Ok(EndReason::Complete))
}

/// Reports an object that reached its end; an error is one that ends the poll.
async fn report(walked: Walked, reporter: &mut Reporter) -> Result<(), PollError> {
    let (settled, error) = match walked.settled {
        Ok(settled) => (settled, None),
        Err(error) => (Settled::stopped(&error), Some(error)),
    };
    reporter.settled(&walked.object, settled, walked.took).await;
    error.map_or(Ok(()), Err)
}

/// Why nothing more may be dispatched, if so.
fn early_end(
    plan: &Plan,
    dispatched: u64,
    reporter: &Reporter,
    shutdown: &CancellationToken,
) -> Option<EndReason> {
    if shutdown.is_cancelled() || reporter.is_cancelled() {
        Some(EndReason::Shutdown)
    } else if dispatched >= plan.max_objects {
        Some(EndReason::MaxObjects)
    } else if Instant::now() + SETTLING >= plan.deadline {
        Some(EndReason::Deadline)
    } else {
        None
    }
}

/// What one call may take: its own budget, or what the poll has left.
fn timeout(parts: &Parts, plan: &Plan) -> Duration {
    let left = plan
        .deadline
        .saturating_duration_since(Instant::now() + SETTLING);
    parts.budgets.process_timeout.min(left)
}

#[cfg(test)]
mod tests;
