//! A simulated bucket, a scripted worker, and a poller between them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use brigade_client::answer::Answer;
use brigade_proto::v1::{
    Filter, PollFinished, PollResponse, ProcessRequest, Settlement, poll_response::Event,
};
use brigade_sim::Sim;
use brigade_storage::Location;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    clock::Clock,
    config::{Budgets, Config},
    dispatch::Worker,
    outcome::ObjectResult,
};

/// Answers by the object's name, and OK about every other one.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) answers: BTreeMap<&'static str, Answer>,
    /// What is answered before that, in order.
    pub(super) first: Mutex<BTreeMap<&'static str, VecDeque<Answer>>>,
    /// Whether polls take the inbox's lease.
    pub(super) lease: bool,
    /// What is answered about every other object, in place of OK.
    pub(super) otherwise: Option<Answer>,
    /// Every so manieth call is answered OK in place of that.
    pub(super) accepts_every: Option<usize>,
    /// How long each call takes, within its timeout.
    pub(super) waits: Option<Duration>,
    /// How long the calls about some objects take, in seconds.
    pub(super) slow: BTreeMap<&'static str, u64>,
    /// When each call came.
    pub(super) times: Mutex<Vec<(String, tokio::time::Instant)>>,
    pub(super) timeouts: Mutex<Vec<Duration>>,
    pub(super) asked: Mutex<Vec<String>>,
    pub(super) attempts: Mutex<Vec<i32>>,
    pub(super) at_once: AtomicUsize,
    pub(super) most_at_once: AtomicUsize,
    /// Each answer waits for this.
    pub(super) gate: Option<Notify>,
    pub(super) entered: Notify,
}

#[async_trait]
impl Worker for Script {
    async fn process(&self, request: ProcessRequest, timeout: Duration) -> Answer {
        let name = request.object.unwrap_or_default().name;
        let accepts = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(name.clone());
            self.accepts_every.is_some_and(|every| asked.len().is_multiple_of(every))
        };
        self.attempts.lock().unwrap().push(request.attempt);
        self.timeouts.lock().unwrap().push(timeout);
        if let Some(waits) = self.waits {
            tokio::time::sleep(waits.min(timeout)).await;
        }
        let short = name.rsplit('/').next().unwrap_or_default();
        self.times.lock().unwrap().push((short.to_owned(), tokio::time::Instant::now()));
        if let Some(seconds) = self.slow.get(short) {
            tokio::time::sleep(Duration::from_secs(*seconds)).await;
        }
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        self.entered.notify_one();
        match &self.gate {
            Some(gate) => gate.notified().await,
            None => tokio::task::yield_now().await,
        }
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        let name = name.rsplit('/').next().unwrap_or_default();
        let mut first = self.first.lock().unwrap();
        let first = first.get_mut(name).and_then(VecDeque::pop_front);
        first
            .or_else(|| self.answers.get(name).cloned())
            .or_else(|| self.otherwise.clone().filter(|_| !accepts))
            .unwrap_or_else(|| Answer::ok(brigade_proto::v1::ProcessResponse::default()))
    }

    async fn is_reachable(&self, _timeout: Duration) -> bool {
        true
    }
}

/// The poller's clock is that of the simulated service.
#[derive(Debug)]
pub(super) struct SimTime(pub(super) Sim);

impl Clock for SimTime {
    fn now(&self) -> jiff::Timestamp {
        self.0.clock().now()
    }
}

pub(super) struct World {
    pub(super) sim: Sim,
    pub(super) worker: Arc<Script>,
    pub(super) poller: Poller,
    pub(super) shutdown: CancellationToken,
}

/// Everything below `inbox`, within small limits.
pub(super) fn config(inbox: &str) -> Config {
    Config {
        budgets: Budgets {
            concurrency: 4,
            process_timeout: Duration::from_secs(60),
            ..Budgets::default()
        },
        ..Config::for_inbox(Location::new("data", inbox))
    }
}

pub(super) fn world(worker: Script) -> World {
    world_with(worker, "in/", |_| {})
}

/// A poller of this inbox, after `change`.
pub(super) fn world_with(worker: Script, inbox: &str, change: impl FnOnce(&mut Config)) -> World {
    let mut config = config(inbox);
    change(&mut config);
    let worker = Arc::new(worker);
    let shutdown = CancellationToken::new();
    let (sim, poller) = poller_of(worker.clone(), config);
    let poller = poller.lease(worker.lease).shutdown(shutdown.clone());
    World { sim, worker, poller, shutdown }
}

/// A simulated bucket, and a poller between it and any worker.
pub(super) fn poller_of(worker: Arc<dyn Worker>, config: Config) -> (Sim, Poller) {
    let sim = Sim::new().with_bucket("data").with_bucket("archive");
    let poller = Poller::new(config, &sim, worker).clock(Arc::new(SimTime(sim.clone())));
    (sim, poller)
}

/// A poller whose accepted objects go to another bucket.
pub(super) fn archiving(worker: Script) -> World {
    world_with(worker, "in/", |config| {
        config.processed = Location::new("archive", "processed/");
    })
}

pub(super) fn script(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> Script {
    Script { answers: answers.into_iter().collect(), ..Script::default() }
}

pub(super) fn answering(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> World {
    world(script(answers))
}

/// Each answer waits for [`World::release`].
pub(super) fn gated() -> Script {
    Script { gate: Some(Notify::new()), ..Script::default() }
}

/// Each call takes so many seconds.
pub(super) fn waiting(seconds: u64) -> Script {
    Script { waits: Some(Duration::from_secs(seconds)), ..Script::default() }
}

pub(super) fn leased(script: Script) -> Script {
    Script { lease: true, ..script }
}

impl World {
    pub(super) fn upload(&self, names: &[&str]) {
        for name in names {
            self.put(&[&format!("in/{name}")], "1");
        }
    }

    /// The same world, with these uploads.
    pub(super) fn with(self, names: &[&str]) -> Self {
        self.upload(names);
        self
    }

    /// Uploads to whole names.
    pub(super) fn put(&self, names: &[&str], content: &'static str) {
        for name in names {
            self.sim.upload("data", name, content).unwrap();
        }
    }

    /// What is written under `key` on the first object.
    pub(super) fn written(&self, key: &str) -> String {
        self.sim.objects("data")[0].metadata[key].clone()
    }

    pub(super) fn upload_many(&self, count: usize) {
        for n in 0..count {
            self.upload(&[&format!("x{n:03}")]);
        }
    }

    /// Starts a poll of everything.
    pub(super) fn start(&self) -> Events {
        let request = PollRequest::default();
        self.poller.start(&request, &Trigger::default()).unwrap()
    }

    pub(super) fn names(&self) -> Vec<String> {
        let objects = self.sim.objects("data").into_iter();
        objects.map(|object| object.name).collect()
    }

    /// Lets one answer go.
    pub(super) fn release(&self) {
        self.worker.gate.as_ref().unwrap().notify_one();
    }

    /// Refuses the next calls of this kind.
    pub(super) fn fail(&self, times: usize, operation: Operation, kind: Kind) {
        for kind in std::iter::repeat_n(kind, times) {
            self.sim.fail_next(operation, Fault::Before(kind));
        }
    }

    /// Refuses every call of this kind.
    pub(super) fn refuse(&self, operation: Operation, kind: Kind) {
        self.sim.set_faults(move |call: &brigade_sim::Call| {
            (call.operation == operation).then_some(Fault::Before(kind.clone()))
        });
    }

    pub(super) fn all_in(&self, prefix: &str) -> bool {
        self.names().iter().all(|name| name.starts_with(prefix))
    }

    pub(super) async fn all_slots(&self) -> tokio::sync::OwnedSemaphorePermit {
        let slots = self.poller.instance.slots.clone();
        slots.acquire_many_owned(4).await.unwrap()
    }

    pub(super) async fn send(&self, named: ObjectRef) -> Result<ObjectResult, PollError> {
        self.poller.process_object(named, Trigger::default()).await
    }

    /// Polls everything, and does something after a second.
    pub(super) async fn poll_meanwhile<T>(&self, act: impl FnOnce() -> T) -> Ended {
        let acting = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            act();
        };
        tokio::join!(self.poll_all(), acting).0
    }

    /// Polls everything for a caller that waits so many seconds.
    pub(super) async fn poll_within(&self, seconds: u64) -> Ended {
        let trigger =
            Trigger { deadline: Some(Duration::from_secs(seconds)), ..Trigger::default() };
        let events = self.poller.start(&PollRequest::default(), &trigger);
        collect(events.unwrap()).await
    }

    /// Polls everything.
    pub(super) async fn poll_all(&self) -> Ended {
        self.poll(PollRequest::default()).await
    }

    pub(super) fn asked(&self) -> usize {
        self.worker.asked.lock().unwrap().len()
    }

    /// When each object was asked about, in seconds after `began`.
    pub(super) fn asked_at(&self, began: tokio::time::Instant) -> Vec<(String, f64)> {
        let times = self.worker.times.lock().unwrap();
        times.iter().map(|(name, at)| (name.clone(), (*at - began).as_secs_f64())).collect()
    }

    pub(super) fn pages(&self) -> u64 {
        self.sim.calls(Operation::List)
    }

    pub(super) async fn poll(&self, request: PollRequest) -> Ended {
        collect(self.poller.start(&request, &Trigger::default()).unwrap()).await
    }
}

#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) settled: Vec<(String, Settlement)>,
    pub(super) skipped: Vec<(String, Filter)>,
    pub(super) finished: Option<PollFinished>,
    pub(super) error: Option<PollError>,
}

impl Ended {
    pub(super) fn reason(&self) -> EndReason {
        self.finished.as_ref().unwrap().reason()
    }
}

pub(super) async fn collect(mut events: Events) -> Ended {
    let mut ended = Ended::default();
    while let Some(event) = events.recv().await {
        match event {
            Ok(PollResponse { event: Some(event) }) => match event {
                Event::Started(_) => {}
                Event::Settled(settled) => {
                    let settlement = settled.settlement();
                    ended.settled.push((settled.object.unwrap().name, settlement));
                }
                Event::Skipped(skipped) => {
                    let filter = skipped.filter();
                    ended.skipped.push((skipped.object.unwrap().name, filter));
                }
                Event::Finished(finished) => ended.finished = Some(finished),
            },
            Ok(PollResponse { event: None }) => panic!("an empty event"),
            Err(error) => ended.error = Some(error),
        }
    }
    ended.settled.sort();
    ended
}
