//! What all polls and named objects of one instance share.

use std::sync::{Arc, atomic::AtomicBool};

use brigade_proto::v1::PollResponse;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    brake::Brake, call_times::CallTimes, clock::Clock, config::Config, cursors::Cursors,
    dispatch::Dispatcher, in_flight::InFlight, lease::Process, outcome::SharedResult,
    settle::Settler, tasks::Queue,
};

/// A permit to be in flight.
pub(crate) type Slot = OwnedSemaphorePermit;

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
    /// Gets the events of every poll.
    pub(crate) observer: Option<broadcast::Sender<PollResponse>>,
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
