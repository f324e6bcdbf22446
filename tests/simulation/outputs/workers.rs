//! The worker's processes as far as they write: each has its own view of the storage, which ends with it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use brigade_client::answer::{Answer, WorkerAnswer};
use brigade_proto::v1::{ProcessRequest, ProcessResponse};
use brigade_sim::Sim;
use brigade_worker::{ErrorKind, ProcessError, testing::WorkerInstance};
use tokio_util::sync::CancellationToken;

use super::{
    Outputs,
    check::Written,
    processor::{PLANNED, Plan, Planned, Planner},
};
use crate::{
    heard::Key,
    planted::Planted as Bugs,
    wire::{Counts, Wires},
};

/// All processes of the worker, one after the other.
#[derive(Debug)]
pub(crate) struct Workers {
    pub(crate) outputs: Outputs,
    sim: Sim,
    planted: Bugs,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What works on one object in one process.
    running: BTreeMap<(u64, Key), Arc<Running>>,
    /// By the number that the history knows it by.
    all: Vec<Arc<Running>>,
    called: Vec<Called>,
    /// Calls so far, for content that differs.
    calls: u64,
}

/// One object's runs in one process of the worker.
#[derive(Debug)]
struct Running {
    key: Key,
    number: u32,
    instance: WorkerInstance<Planned>,
    planner: Arc<Planner>,
    counts: Arc<Mutex<Counts>>,
    /// Ends with its process.
    dead: CancellationToken,
}

/// A call, and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    pub(crate) key: Key,
    /// The number of its [`Running`].
    pub(crate) caller: u32,
    pub(crate) end: End,
}

/// How a call ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum End {
    /// Its run ended well, and reported these outputs.
    Well(Vec<String>),
    /// Its run refused the object for good.
    Refused,
    /// Its run ended otherwise.
    Unwell,
    /// Its process was killed.
    Killed,
    /// Its run accepted the object, and its caller was gone.
    Unheard,
    /// Its caller went away before the end.
    #[default]
    Left,
}

/// What the history knows a caller by.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) key: Key,
    /// Its process was killed while it had something to do.
    pub(crate) is_killed: bool,
    /// Storage failed a call of it.
    pub(crate) is_failed: bool,
}

// === impl Workers ===

impl Workers {
    pub(crate) fn new(outputs: Outputs, sim: &Sim, planted: Bugs) -> Self {
        Self { outputs, sim: sim.clone(), planted, state: Mutex::default() }
    }

    /// Every call, and everything that wrote, by its number.
    pub(crate) fn written(&self) -> Written {
        let state = self.state();
        let callers = state.all.iter().map(|running| {
            let counts = *running.counts.lock().unwrap_or_else(PoisonError::into_inner);
            Caller {
                key: running.key.clone(),
                is_killed: counts.cut > 0,
                is_failed: counts.failed > 0,
            }
        });
        let callers = callers.collect();
        Written { outputs: self.outputs, called: state.called.clone(), callers }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call to this process of the worker, which ends with `dead`.
    pub(crate) async fn call(
        &self,
        (process, dead): (u64, &CancellationToken),
        request: ProcessRequest,
        key: &Key,
        mut plan: Plan,
        budget: Duration,
    ) -> Answer {
        let (running, number) = {
            let state = &mut *self.state();
            let number = state.calls;
            state.calls += 1;
            let running = state.running.entry((process, key.clone())).or_insert_with(|| {
                let number = u32::try_from(state.all.len()).unwrap_or(u32::MAX);
                let running = Arc::new(self.start(key, number, dead));
                state.all.push(running.clone());
                running
            });
            (running.clone(), number)
        };
        let content = |file: &String| {
            let end = if self.outputs.repeats { 0 } else { number };
            format!("{file} of {key:?}, {end}")
        };
        plan.files = self
            .outputs
            .files(key)
            .into_iter()
            .map(|file| (file.clone(), content(&file)))
            .collect();
        running.planner.set(plan);
        let call = Call::begin(self, &running);
        let result = running.instance.call(request, Some(budget)).await;
        call.end(&result);
        match result {
            Ok(response) => Answer::ok(response),
            Err(error) if error.message() == PLANNED => running.planner.answer(),
            Err(error) => refused(&error),
        }
    }

    fn start(&self, key: &Key, number: u32, dead: &CancellationToken) -> Running {
        let counts = Arc::<Mutex<Counts>>::default();
        let wires = Wires {
            page: 1_000,
            planted: self.planted.of_worker(),
            sim: self.sim.called_by(number),
            counts: counts.clone(),
            dead: dead.clone(),
            writer: Some(key.clone()),
        };
        let planner = Arc::new(Planner::default());
        let settings = self.outputs.settings(self.planted);
        let instance = WorkerInstance::new(Planned(planner.clone()), Arc::new(wires), &settings);
        Running { key: key.clone(), number, instance, planner, counts, dead: dead.clone() }
    }
}

/// A call that waits for its end.
struct Call<'a> {
    workers: &'a Workers,
    running: &'a Running,
    /// Runs that had accepted the object when this call began.
    accepted: u32,
    at: usize,
}

// === impl Call ===

impl<'a> Call<'a> {
    fn begin(workers: &'a Workers, running: &'a Running) -> Self {
        let (key, caller) = (running.key.clone(), running.number);
        let mut state = workers.state();
        state.called.push(Called { key, caller, end: End::Left });
        let accepted = running.planner.accepted();
        Self { workers, running, accepted, at: state.called.len() - 1 }
    }

    fn end(self, result: &Result<ProcessResponse, Arc<ProcessError>>) {
        let end = match result {
            Ok(response) => End::Well(response.outputs.clone()),
            Err(error) => match error.kind() {
                ErrorKind::Refused | ErrorKind::FailedPrecondition | ErrorKind::Internal => {
                    End::Refused
                }
                _ => End::Unwell,
            },
        };
        self.workers.state().called[self.at].end = end;
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let end = &mut self.workers.state().called[self.at].end;
        if *end != End::Left {
            return;
        }
        if self.running.dead.is_cancelled() {
            *end = End::Killed;
        } else if self.running.planner.accepted() > self.accepted {
            *end = End::Unheard;
        }
    }
}

/// A worker's error as the poller hears it.
fn refused(error: &ProcessError) -> Answer {
    Answer::Worker(Box::new(WorkerAnswer {
        code: error.kind().code(),
        message: error.message().to_owned(),
        retry_after: error.delay(),
        response: ProcessResponse::default(),
        http_status: None,
        is_storage: error.kind() == ErrorKind::StorageUnavailable,
        kind: String::new(),
        exit: String::new(),
    }))
}
