//! What the objects of one poll share.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use brigade_storage::Object;
use brigade_telemetry::{Parent, Span};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    dispatch::{ConsecutiveFailures, Patience},
    instance::{Instance, Slot},
    losses::Losses,
    plan::Plan,
    spans,
    suspects::{Place, Suspects},
};

/// Objects that wait for their next try at once. More are left for the next poll, so that memory stays bounded.
const MAX_WAITING: usize = 1_000;

/// Objects of one poll in its trace: more make a trace that no tool shows.
const MAX_TRACED: u32 = 1_000;

/// An object that has to wait longer than this is left for a later poll.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// An object that an event or a task named is answered at once when the worker asked for more time than this.
const MAX_NAMED_PAUSE: Duration = Duration::from_secs(10);

/// A poll waits so long at least for a worker that is away: longer than two pauses between probes.
const MIN_AWAY: Duration = Duration::from_secs(11);

/// How long calls in flight may go on after a shutdown was asked for. Cloud Run kills it 10 s after SIGTERM;
/// what was answered must be moved before.
const GRACE: Duration = Duration::from_secs(5);

/// The limits and the ends of one poll.
#[derive(Debug)]
pub(crate) struct RunContext {
    pub(crate) instance: Arc<Instance>,
    pub(crate) plan: Plan,
    waiting: Semaphore,
    /// Counts calls that failed between poller and queue.
    pub(crate) queue: ConsecutiveFailures,
    /// Counts settlements that failed between poller and storage.
    pub(crate) storage: ConsecutiveFailures,
    /// Objects whose calls were lost, which wait for the others.
    pub(crate) suspects: Suspects,
    /// Objects whose spans have begun.
    traced: AtomicU32,
    /// An event or a task named the object: the caller's own queue waits better than this process.
    pub(crate) is_named: bool,
    /// Cancelled when nothing new may be dispatched.
    pub(crate) stop_dispatch: CancellationToken,
    /// Cancelled when calls in flight are given up.
    pub(crate) abort_calls: CancellationToken,
}

// === impl RunContext ===

impl RunContext {
    pub(crate) fn new(instance: Arc<Instance>, plan: Plan) -> Self {
        let limit = instance.config.budgets.breaker;
        Self {
            instance,
            plan,
            waiting: Semaphore::new(MAX_WAITING),
            queue: ConsecutiveFailures::new(limit),
            storage: ConsecutiveFailures::new(limit),
            suspects: Suspects::default(),
            traced: AtomicU32::new(0),
            is_named: false,
            stop_dispatch: CancellationToken::new(),
            abort_calls: CancellationToken::new(),
        }
    }

    /// The context of an object that an event or a task named: no pauses.
    pub(crate) fn for_named(instance: Arc<Instance>, plan: Plan) -> Self {
        let run = Self { is_named: true, ..Self::new(instance, plan) };
        run.stop_dispatch.cancel();
        run
    }

    /// Whether what begins now could not end before the poll's deadline: no call of the worker that takes as long as most do.
    /// Where no poll has so much time, calls are made all the same.
    pub(crate) fn is_too_late(&self, needs_worker: bool) -> bool {
        let is_direct = self.is_named || self.instance.queue.is_none();
        let calls_worker = needs_worker && is_direct && !self.plan.dry_run;
        let most = self.instance.call_times.median().filter(|_| calls_worker);
        let needed = most.filter(|most| self.plan.has_time_for(*most));
        self.plan.is_over_in(needed.unwrap_or_default())
    }

    /// The span of an object. The first ones belong to the poll's trace as it is; of the others those are exported that fail or
    /// are slow.
    pub(crate) fn object_span(&self, object: &Object) -> Span {
        let is_first = self.traced.fetch_add(1, Relaxed) < MAX_TRACED;
        spans::object(object, if is_first { Parent::Current } else { Parent::Unsampled })
    }

    /// How long a call waits for its turn.
    pub(crate) fn patience(&self) -> Patience {
        let left = self.plan.time_left();
        let until = Instant::now() + left;
        if self.is_named {
            let (gate, away) = (MAX_NAMED_PAUSE, Duration::ZERO);
            return Patience { until, gate, away, not_before: Instant::now() };
        }
        let not_before = self.plan.began + MIN_AWAY;
        Patience { until, gate: left, away: self.plan.patience(), not_before }
    }

    /// Gives `slot` back for `time`, and takes another one then. Nothing when the object is to be left for the next poll:
    /// the poll ends before, or too many objects wait already.
    pub(crate) async fn pause(&self, slot: Slot, time: Duration) -> Option<Slot> {
        if time > MAX_PAUSE || self.plan.is_over_in(time) {
            return None;
        }
        let _waiting = self.waiting.try_acquire().ok()?;
        drop(slot);
        self.slot_after(sleep(time)).await
    }

    /// Gives `slot` back until it is the turn of an object that was lost, and takes another one then. Nothing when that is not in
    /// this poll. The suspects' time is over at the instant.
    pub(crate) async fn wait_as_suspect(
        &self,
        slot: Slot,
        losses: &Losses,
    ) -> Option<(Slot, Place<'_>, Instant)> {
        let _waiting = self.waiting.try_acquire().ok()?;
        drop(slot);
        let mut place = self.suspects.join(losses);
        let end = tokio::select! {
            biased;
            () = self.stop_dispatch.cancelled() => return None,
            end = timeout(self.plan.time_left(), place.turn()) => end.ok()??,
        };
        let slot = self.slot_after(ready(())).await?;
        Some((slot, place, end))
    }

    async fn slot_after(&self, end: impl Future<Output = ()>) -> Option<Slot> {
        let resumed = async {
            end.await;
            self.instance.slots.clone().acquire_owned().await.ok()
        };
        tokio::select! {
            biased;
            () = self.stop_dispatch.cancelled() => None,
            slot = timeout(self.plan.time_left(), resumed) => slot.ok()?,
        }
    }

    /// Ends when a shutdown was asked for, and calls in flight had their grace.
    pub(crate) fn grace_over(&self) -> impl Future<Output = ()> + Send + use<> {
        let shutdown = self.instance.shutdown.clone();
        async move {
            shutdown.cancelled().await;
            sleep(GRACE).await;
        }
    }
}
