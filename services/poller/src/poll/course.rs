//! What the objects of one poll share.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::plan::Plan;
use crate::breaker::Breaker;

/// Objects that wait for their next try at once; more are left for the next poll, so that memory stays bounded.
const WAITING: usize = 1_000;

/// The longest that an object waits within a poll; whoever has to wait longer is left for a later one.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The limits and the ends of one poll.
#[derive(Debug)]
pub(crate) struct Course {
    pub(crate) plan: Plan,
    /// One for each object in flight, of whatever poll or event. An object that waits for its next try gives its slot back
    /// meanwhile.
    pub(crate) slots: Arc<Semaphore>,
    waiting: Semaphore,
    /// Counts calls that did not reach the worker.
    pub(crate) worker: Breaker,
    /// Counts settlements that did not reach the storage.
    pub(crate) storage: Breaker,
    /// Cancelled when nothing new may be dispatched.
    pub(crate) closing: CancellationToken,
    /// Cancelled when calls in flight are given up.
    pub(crate) cut: CancellationToken,
}

/// A place among the objects in flight.
pub(crate) type Slot = OwnedSemaphorePermit;

// === impl Course ===

impl Course {
    pub(crate) fn new(plan: Plan, slots: Arc<Semaphore>, breaker: u32) -> Self {
        Self {
            plan,
            slots,
            waiting: Semaphore::new(WAITING),
            worker: Breaker::new(breaker),
            storage: Breaker::new(breaker),
            closing: CancellationToken::new(),
            cut: CancellationToken::new(),
        }
    }

    /// Gives `slot` back for `time`. Nothing when the object had better be left for the next poll: the poll ends
    /// before, also while it waits for another slot, or too many wait already.
    pub(crate) async fn pause(&self, slot: Slot, time: Duration) -> Option<Slot> {
        if time > MAX_PAUSE || self.plan.is_over_in(time) {
            return None;
        }
        let _place = self.waiting.try_acquire().ok()?;
        drop(slot);
        let resumed = async {
            sleep(time).await;
            self.slots.clone().acquire_owned().await.ok()
        };
        tokio::select! {
            biased;
            () = self.closing.cancelled() => None,
            slot = timeout(self.plan.left(), resumed) => slot.ok()?,
        }
    }
}
