//! The jobs that wait for a process, in their order, and what is known of the processes.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, Semaphore, SetOnce};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    failure::Failure,
    start::Launch,
    task::{Loss, Task},
};
use crate::error::{DEFAULT_RETRY_AFTER, ProcessError};

/// What the slots share.
pub(super) struct Pool {
    pub(super) launch: Launch,
    /// About how many jobs one process gets.
    pub(super) recycle_after: Option<u64>,
    state: Mutex<State>,
    /// There is a job for one more slot.
    arrived: Notify,
    /// The first process is ready.
    pub(super) ready: SetOnce<()>,
    /// The same, or its first start failed.
    pub(super) tried: SetOnce<()>,
    /// One process at a time is retired for its age.
    pub(super) retiring: Semaphore,
    /// No job comes any more.
    pub(super) closing: CancellationToken,
    /// How long the processes then have.
    grace: SetOnce<Duration>,
    pub(super) slots: TaskTracker,
}

struct State {
    queue: VecDeque<Task>,
    slots: Vec<Slot>,
}

/// What the process of a slot is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// It is started once the first one is ready.
    Waiting,
    /// It starts, after one that was ready or as the first.
    Starting,
    Ready,
    /// It did not become ready, or ended at once, for this reason; another try comes.
    Failed(Failure),
}

// === impl Pool ===

impl Pool {
    pub(super) fn new(launch: Launch, recycle_after: Option<u64>) -> Self {
        let mut slots = vec![Slot::Waiting; launch.processes];
        slots[0] = Slot::Starting;
        Self {
            launch,
            recycle_after,
            state: Mutex::new(State { queue: VecDeque::new(), slots }),
            arrived: Notify::new(),
            ready: SetOnce::new(),
            tried: SetOnce::new(),
            retiring: Semaphore::new(1),
            closing: CancellationToken::new(),
            grace: SetOnce::new(),
            slots: TaskTracker::new(),
        }
    }

    /// Fails when no process is ready and none is about to be.
    pub(super) fn check(&self) -> Result<(), ProcessError> {
        self.state().failure().map_or(Ok(()), |failure| Err(self.failed(&failure)))
    }

    /// Hands over a job. It is answered in any case, or dropped when the worker ends.
    pub(super) fn submit(&self, task: Task) {
        let mut state = self.state();
        if self.closing.is_cancelled() {
            return;
        }
        if let Some(failure) = state.failure() {
            return task.reply(Err(Loss::Error(self.failed(&failure))));
        }
        state.queue.push_back(task);
        self.arrived.notify_one();
    }

    /// Takes a job back that no process has yet.
    pub(super) fn withdraw(&self, id: &str) -> Option<Task> {
        let mut state = self.state();
        let at = state.queue.iter().position(|task| task.job.id == id)?;
        state.queue.remove(at)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.state().queue.is_empty()
    }

    /// The next job, for a process that is ready. Dropping the future loses none.
    pub(super) async fn next(&self) -> Task {
        loop {
            let arrived = self.arrived.notified();
            if let Some(task) = self.take() {
                return task;
            }
            arrived.await;
        }
    }

    fn take(&self) -> Option<Task> {
        let mut state = self.state();
        loop {
            let task = state.queue.pop_front()?;
            if task.has_waited_enough() {
                task.reply(Err(Loss::Error(self.none_free(&state))));
            } else if !task.is_cancelled() {
                return Some(task);
            }
        }
    }

    /// Gives a job to another process, at no attempt: its own failed for another reason.
    pub(super) fn move_on(&self, mut task: Task, why: &str) {
        if !task.moves() {
            let why = format!("no process of the program took the object; the last one: {why}");
            let error = ProcessError::busy_for(super::super::answer::RETRY_AFTER, why);
            return task.reply(Err(Loss::Error(error)));
        }
        self.give_back(task);
    }

    /// Gives a job to another process: its own is not used any more.
    pub(super) fn give_back(&self, task: Task) {
        self.state().queue.push_front(task);
        self.arrived.notify_one();
    }

    /// The answer to a job that no process took in time.
    pub(super) fn not_taken(&self) -> ProcessError {
        self.none_free(&self.state())
    }

    fn none_free(&self, state: &State) -> ProcessError {
        let starting = (!state.slots.contains(&Slot::Ready)).then(|| self.launch.starting());
        let why = starting.flatten().unwrap_or_else(|| {
            "no process of the program was free in time (BRIGADE_PROCESSES, --processes)".to_owned()
        });
        ProcessError::busy_for(DEFAULT_RETRY_AFTER, why)
    }

    /// Notes what a slot is at. Without any process that is ready or about to be, jobs do not wait.
    pub(super) fn set(&self, index: usize, slot: Slot) {
        if slot == Slot::Ready {
            // It may have been before.
            let _ = self.ready.set(());
        }
        if matches!(slot, Slot::Ready | Slot::Failed(_)) {
            let _ = self.tried.set(());
        }
        let mut state = self.state();
        state.slots[index] = slot;
        if let Some(failure) = state.failure() {
            for task in state.queue.drain(..) {
                task.reply(Err(Loss::Error(self.failed(&failure))));
            }
        }
    }

    /// Ends all processes, which have so long; then SIGTERM follows, and SIGKILL.
    pub(super) async fn close(&self, grace: Duration) {
        // A second call changes nothing.
        let _ = self.grace.set(grace);
        self.closing.cancel();
        self.slots.close();
        self.slots.wait().await;
        self.state().queue.clear();
    }

    /// How long processes may take to end once no job comes any more.
    pub(super) fn grace(&self) -> Duration {
        self.grace.get().copied().unwrap_or_default()
    }

    fn failed(&self, failure: &Failure) -> ProcessError {
        failure.error(self.launch.program.name())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("slots", &self.state().slots).finish_non_exhaustive()
    }
}

// === impl State ===

impl State {
    /// Why no process is ready or about to be.
    fn failure(&self) -> Option<Failure> {
        let mut failure = None;
        for slot in &self.slots {
            match slot {
                Slot::Ready | Slot::Starting => return None,
                Slot::Waiting => {}
                Slot::Failed(why) => failure = Some(why.clone()),
            }
        }
        failure
    }
}
