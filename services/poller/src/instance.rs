//! What all polls and named objects of one instance share.

use std::sync::{Arc, atomic::AtomicBool};

use brigade_proto::v1::{GetStatusRequest, GetStatusResponse};
use brigade_storage::Store;
use jiff::Timestamp;
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    activity::Activity, brake::Brake, call_times::CallTimes, clock::Clock, config::Config,
    cursors::Cursors, dispatch::Dispatcher, in_flight::InFlight, lease::Process,
    outcome::SharedResult, settle::Settler, streams::Streams, tasks::Queue,
};

/// A permit to be in flight.
pub(crate) type Slot = OwnedSemaphorePermit;

/// Counts for this request: after this end of a poll, and when.
pub(crate) type Counted =
    (GetStatusRequest, Option<brigade_proto::Timestamp>, Instant, GetStatusResponse);

/// One poller process.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) config: Arc<Config>,
    pub(crate) settler: Settler,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) brake: Arc<Brake>,
    /// Where polls put objects instead of asking the worker. A named object goes to the worker all the same.
    pub(crate) queue: Option<Arc<dyn Queue>>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether polls of one inbox exclude each other.
    pub(crate) lease: bool,
    pub(crate) process: Process,
    pub(crate) activity: Activity,
    /// Where outputs in other buckets than ours are looked at.
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) started: Timestamp,
    /// The last counts, for whom, and when: one caller at a time counts.
    pub(crate) counts: Arc<Mutex<Option<Counted>>>,
    pub(crate) streams: Streams,
    /// Whether the log says already that filters leave out everything.
    pub(crate) said_all_left_out: Arc<AtomicBool>,
    /// One for each object in flight, of any poll or event.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) in_flight: InFlight<SharedResult>,
    pub(crate) call_times: Arc<CallTimes>,
    pub(crate) cursors: Arc<Cursors>,
    pub(crate) shutdown: CancellationToken,
    /// Polls and named objects that run.
    pub(crate) running: TaskTracker,
}

impl Instance {
    /// The inbox has no brake: another instance, or an operator, has lifted the one that this instance knew.
    pub(crate) fn brake_is_free(&self) {
        if self.dispatcher.is_braked() && !self.brake.is_pending() {
            self.dispatcher.restart_streak(self.config.budgets.max_refusals);
        }
    }
}
