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
#[derive(Debug, Default)]
pub(crate) struct Traffic(Mutex<State>);

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
        InFlight { traffic: self, instance, key }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if let Some(own) = self.traffic.state().in_flight.get_mut(&self.instance) {
            own.remove(&self.key);
        }
    }
}

#[async_trait]
impl Worker for Line {
    async fn process(&self, request: ProcessRequest, timeout: Duration) -> Answer {
        let object = request.object.unwrap_or_default();
        let key = (object.name, object.generation);
        let _in_flight = self.traffic.begin(self.instance, key.clone());
        tokio::select! {
            biased;
            () = self.dead.cancelled() => std::future::pending().await,
            answer = self.worker.process(self.instance, key, timeout) => answer,
        }
    }

    async fn is_reachable(&self, _timeout: Duration) -> bool {
        self.worker.is_reachable()
    }
}
