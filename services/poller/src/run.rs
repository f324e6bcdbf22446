//! What the objects of one poll share.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    dispatch::Breaker,
    instance::{Instance, Slot},
    plan::Plan,
};

/// Objects that wait for their next try at once. More are left for the next poll, so that memory stays bounded.
const MAX_WAITING: usize = 1_000;

/// An object that has to wait longer than this is left for a later poll.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// How long calls in flight may go on after a shutdown was asked for. Cloud Run kills it 10 s after SIGTERM;
/// what was answered must be moved before.
const GRACE: Duration = Duration::from_secs(5);

/// The limits and the ends of one poll.
#[derive(Debug)]
pub(crate) struct RunContext {
    pub(crate) instance: Arc<Instance>,
    pub(crate) plan: Plan,
    waiting: Semaphore,
    /// Counts calls that failed between poller and worker.
    pub(crate) worker: Breaker,
    /// Counts settlements that failed between poller and storage.
    pub(crate) storage: Breaker,
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
            worker: Breaker::new(limit),
            storage: Breaker::new(limit),
            stop_dispatch: CancellationToken::new(),
            abort_calls: CancellationToken::new(),
        }
    }

    /// Gives `slot` back for `time`, and takes another one then. Nothing when the object is to be left for the next poll:
    /// the poll ends before, or too many objects wait already.
    pub(crate) async fn pause(&self, slot: Slot, time: Duration) -> Option<Slot> {
        if time > MAX_PAUSE || self.plan.is_over_in(time) {
            return None;
        }
        let _waiting = self.waiting.try_acquire().ok()?;
        drop(slot);
        let resumed = async {
            sleep(time).await;
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
