//! The worker as one poller's process calls it: whose calls these are, and how many at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use brigade_client::answer::Answer;
use brigade_poller::dispatch::Worker;
use brigade_proto::v1::ProcessRequest;
use brigade_sim::TokioClock;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::worker::SimWorker;

/// A process's connection to the worker.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) instance: u64,
    pub(crate) worker: Arc<SimWorker>,
    pub(crate) dead: CancellationToken,
    pub(crate) traffic: Arc<Traffic>,
}

/// The calls of all processes.
#[derive(Debug)]
pub(crate) struct Traffic {
    state: Mutex<State>,
    clock: TokioClock,
}

#[derive(Debug, Default)]
struct State {
    in_flight: BTreeMap<u64, BTreeSet<(String, i64)>>,
    seen: Seen,
}

/// What was seen of all calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The most calls of one process at once.
    pub(crate) most: usize,
    /// Generations that one process had in flight twice.
    pub(crate) twice: Vec<(String, i64)>,
    /// When each generation was asked about first.
    pub(crate) first: BTreeMap<(String, i64), Timestamp>,
    /// How many calls there were at once, at each change.
    pub(crate) at_once: Vec<(Timestamp, usize)>,
}

/// A call in flight.
#[derive(Debug)]
struct InFlight<'a> {
    traffic: &'a Traffic,
    instance: u64,
    key: (String, i64),
}

// === impl Traffic ===

impl Traffic {
    pub(crate) fn new(clock: TokioClock) -> Self {
        Self { state: Mutex::default(), clock }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.state().seen.clone()
    }

    fn begin(&self, instance: u64, key: (String, i64)) -> InFlight<'_> {
        let state = &mut *self.state();
        let own = state.in_flight.entry(instance).or_default();
        if !own.insert(key.clone()) {
            state.seen.twice.push(key.clone());
        }
        state.seen.most = state.seen.most.max(own.len());
        let now = self.clock.now();
        state.seen.first.entry(key.clone()).or_insert(now);
        state.count(now);
        InFlight { traffic: self, instance, key }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count(&mut self, now: Timestamp) {
        let calls = self.in_flight.values().map(BTreeSet::len).sum();
        self.seen.at_once.push((now, calls));
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let state = &mut *self.traffic.state();
        if let Some(own) = state.in_flight.get_mut(&self.instance) {
            own.remove(&self.key);
        }
        state.count(self.traffic.clock.now());
    }
}

#[async_trait]
impl Worker for Line {
    async fn process(&self, request: ProcessRequest, timeout: Duration) -> Answer {
        let object = request.object.as_ref();
        let key = object.map(|object| (object.name.clone(), object.generation));
        let key = key.unwrap_or_default();
        let _in_flight = self.traffic.begin(self.instance, key.clone());
        tokio::select! {
            biased;
            () = self.dead.cancelled() => std::future::pending().await,
            answer = self.worker.process(self.instance, key, request, timeout) => answer,
        }
    }

    async fn is_reachable(&self, _timeout: Duration) -> bool {
        self.worker.is_reachable()
    }
}
