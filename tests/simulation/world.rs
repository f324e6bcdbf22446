//! The world of one run: things go wrong in it for a while, and then no more.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use brigade_client::answer::Answer;
use brigade_poller::{
    clock::Clock,
    config::{Budgets, Config},
    poller::Poller,
};
use brigade_sim::{Place, SeededFaults, Sim};
use brigade_storage::{Location, Metadata, NewObject, Object, Store as _};
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    events::{self, Upload},
    instance::{Ends, Instance},
    line::{Line, Traffic},
    operators::{self, Operator, Replayed},
    people::{BUCKET, ELSEWHERE, NO_WORK, People, release_holds},
    planted::{Bug, Misread, Planted},
    report::{Errand, Report},
    run::{MAX_ATTEMPTS, Run},
    schedule::Schedule,
    wire::{Counts, Wires},
    worker::SimWorker,
};

/// Long enough for every lease to expire, and for every retry to be due.
const A_LONG_WHILE: Duration = Duration::from_hours(2);

/// The name of the inbox's lease.
const LEASE: &str = ".brigade/in/lease";

/// The longest delay of a storage call.
const SLOW: Duration = Duration::from_secs(90);

/// The polls after which nothing but what the worker itself puts off may be left, and those after which nothing may; and
/// more of these where a file holds the worker up. Objects that all ask for time cost an attempt only now and then: it may
/// be the worker that asks.
const CALM_POLLS: [usize; 2] = [2, 12];
const MORE_POLLS: usize = 8;

/// Files that were lost beside one that ends the worker are asked about alone: they need so many polls more.
const POLLS_BESIDE_POISON: usize = 2;

/// Everything that a run is made of.
pub(crate) struct World {
    pub(crate) schedule: Schedule,
    planted: Planted,
    sim: Sim,
    worker: Arc<SimWorker>,
    remembered: Arc<Mutex<BTreeMap<String, Answer>>>,
    traffic: Arc<Traffic>,
    counts: Arc<Mutex<Counts>>,
    /// The process of each poller, where it outlives a poll.
    running: Mutex<Vec<Option<Arc<Instance>>>>,
    instances: AtomicU64,
    polls: AtomicU64,
    duplicates: AtomicU64,
    /// Deliveries of events.
    pub(crate) deliveries: AtomicU64,
}

// === impl World ===

impl World {
    pub(crate) fn new(schedule: Schedule, planted: Planted) -> Self {
        let sim = sim(&schedule);
        Self {
            worker: Arc::new(SimWorker::new(&schedule, &sim, planted)),
            traffic: Arc::new(Traffic::new(sim.clock())),
            sim,
            remembered: Arc::default(),
            counts: Arc::default(),
            running: Mutex::new(vec![None; schedule.pollers]),
            instances: AtomicU64::new(0),
            polls: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            deliveries: AtomicU64::new(0),
            schedule,
            planted,
        }
    }

    pub(crate) async fn run(self) -> Run {
        let (announced, uploads) = mpsc::unbounded_channel();
        let announced = self.schedule.worlds.has_events.then_some(announced);
        let mut people = People::new(self.sim.clone(), &self.schedule, announced);
        people.begin();
        if let Some(outputs) = self.schedule.outputs {
            outputs.begin(&self.sim);
        }
        if self.schedule.lease && self.schedule.orphaned {
            let lease = NewObject {
                metadata: [("brigade-holder".into(), "a dead poll".into())].into(),
                ..NewObject::default()
            };
            let left = self.sim.bucket(BUCKET).create(LEASE, 0, lease).await;
            left.expect("nothing goes wrong yet");
        }
        let (mut reports, replayed) = self.rough(people, uploads).await;
        let left = self.calm(&mut reports).await;
        Run {
            fates: operators::follow(self.sim.fates(), &self.sim.history()),
            history: self.sim.history(),
            replayed,
            heard: self.worker.heard(),
            seen: self.traffic.seen(),
            deliveries: self.deliveries.load(Ordering::Relaxed),
            reports,
            left,
            written: written(&self.sim),
            versions: versions(&self.sim),
            counts: *self.counts.lock().expect("no run panics and goes on"),
            injected: self.sim.injected(),
            troubles: self.worker.troubles(),
            written_outputs: self.worker.written(),
            duplicates: self.duplicates.load(Ordering::Relaxed),
            schedule: self.schedule,
        }
    }

    /// Everybody at once, and everything goes wrong.
    async fn rough(
        &self,
        people: People,
        uploads: UnboundedReceiver<Upload>,
    ) -> (Vec<Report>, Vec<Replayed>) {
        let faults = self.schedule.rng("faults").u64(..);
        self.sim.set_faults(SeededFaults::new(faults, self.schedule.faults, SLOW));
        let polls = (0..self.schedule.pollers).map(|number| self.polls(number));
        let meddling = people.meddle(self.schedule.meddling, self.schedule.between);
        let (operator, number) = (Operator::new(&self.schedule), self.schedule.pollers);
        let replays = operator.work(self.schedule.between * 2, || self.start(number));
        let rough = async {
            let (reports, (), said) =
                tokio::join!(futures::future::join_all(polls), meddling, replays);
            (reports.concat(), said)
        };
        if !self.schedule.worlds.has_events {
            return rough.await;
        }
        let over = CancellationToken::new();
        let rough = async {
            let reports = rough.await;
            over.cancel();
            reports
        };
        let ((mut reports, said), events) =
            tokio::join!(rough, events::deliver(self, uploads, &over));
        reports.push(events);
        (reports, said)
    }

    /// All polls of one poller, one after the other or over each other.
    async fn polls(&self, number: usize) -> Vec<Report> {
        let mut rng = self.schedule.rng(&format!("poller {number}"));
        let mut at = Duration::ZERO;
        let mut polls = Vec::new();
        for _ in 0..self.schedule.polls {
            let pause = self.schedule.between.mul_f64(rng.f64());
            at += pause;
            let begin = if self.schedule.overlapping { at } else { pause };
            let errands = self.triggered(&mut rng);
            polls.push(async move {
                sleep(begin).await;
                let polls = errands.into_iter().map(|errand| errand.run(self.instance(number)));
                futures::future::join_all(polls).await
            });
        }
        if self.schedule.overlapping {
            return futures::future::join_all(polls).await.concat();
        }
        let mut reports = Vec::new();
        for poll in polls {
            reports.extend(poll.await);
        }
        reports
    }

    /// What one trigger starts: one poll, or two of the same when it is delivered twice.
    fn triggered(&self, rng: &mut Rng) -> Vec<Errand> {
        let twice = rng.u16(0..1_000) < self.schedule.duplicates;
        self.duplicates.fetch_add(u64::from(twice), Ordering::Relaxed);
        let times = if twice { 2 } else { 1 };
        (0..times).map(|_| self.errand().drawn(&self.schedule, rng)).collect()
    }

    fn errand(&self) -> Errand {
        Errand::new(self.polls.fetch_add(1, Ordering::Relaxed), self.schedule.relist)
    }

    /// The process of this poller: the one that runs, or a new one.
    pub(crate) fn instance(&self, number: usize) -> Arc<Instance> {
        if !self.schedule.worlds.is_long_lived {
            return Arc::new(self.start(number));
        }
        let mut running = self.running.lock().expect("no run panics and goes on");
        let there = running[number].take().filter(|instance| instance.is_up());
        let instance = there.unwrap_or_else(|| Arc::new(self.start(number)));
        running[number].insert(instance).clone()
    }

    fn start(&self, number: usize) -> Instance {
        let id = self.instances.fetch_add(1, Ordering::Relaxed);
        let ends = Ends::default();
        let poller = || self.poller(number, id, &ends);
        let (first, apart) = (poller(), self.planted.is(Bug::EventsApart));
        let named = if apart { poller() } else { first.clone() };
        Instance { id, poller: first, named, ends }
    }

    /// Nothing goes wrong any more: one poller alone brings everything to its end.
    async fn calm(&self, reports: &mut Vec<Report>) -> Vec<Object> {
        self.sim.clear_faults();
        self.worker.calm_down();
        release_holds(&self.sim);
        let more = if self.schedule.worlds.special.is_empty() { 0 } else { MORE_POLLS };
        let beside = if self.schedule.worlds.is_deadly() { POLLS_BESIDE_POISON } else { 0 };
        let first = CALM_POLLS[0] + beside;
        let mut left = None;
        for number in 0..first + CALM_POLLS[1] + more {
            if number == first {
                left = Some(inbox(&self.sim));
            }
            if left.is_some() && inbox(&self.sim).is_empty() {
                break;
            }
            sleep(A_LONG_WHILE).await;
            reports.push(self.errand().run(self.instance(0)).await);
        }
        left.unwrap_or_default()
    }

    fn poller(&self, number: usize, instance: u64, ends: &Ends) -> Poller {
        let schedule = &self.schedule;
        let location = |elsewhere: bool, prefix: &str| {
            Location::new(if elsewhere { ELSEWHERE } else { BUCKET }, prefix)
        };
        let config = Config {
            processed: location(schedule.processed_elsewhere, "processed/"),
            failed: location(schedule.failed_elsewhere, "failed/"),
            budgets: Budgets {
                concurrency: self.planted.concurrency(schedule.concurrency),
                process_timeout: Duration::from_mins(5),
                max_attempts: MAX_ATTEMPTS,
                ..Budgets::default()
            },
            ..Config::for_inbox(location(false, "in/"))
        };
        let wires = Wires {
            page: schedule.page,
            planted: self.planted,
            sim: self.sim.clone(),
            counts: self.counts.clone(),
            dead: ends.dead.clone(),
            writer: None,
        };
        let line = Line {
            instance,
            worker: self.worker.clone(),
            dead: ends.dead.clone(),
            traffic: self.traffic.clone(),
        };
        let worker =
            Misread { inner: line, planted: self.planted, remembered: self.remembered.clone() };
        let clock = Skewed { sim: self.sim.clone(), by: self.skew(number) };
        Poller::new(config, &wires, Arc::new(worker))
            .clock(Arc::new(clock))
            .lease(schedule.lease)
            .shutdown(ends.shutdown.clone())
    }

    /// Every other clock is behind, the others are ahead.
    fn skew(&self, number: usize) -> SignedDuration {
        let skew = SignedDuration::try_from(self.schedule.skew).unwrap_or_default();
        if number.is_multiple_of(2) { skew } else { -skew }
    }
}

/// What is left in the inbox.
pub(crate) fn inbox(sim: &Sim) -> Vec<Object> {
    let mut objects = sim.objects(BUCKET);
    objects.retain(|object| {
        object.name.starts_with("in/") && !NO_WORK.contains(&object.name.as_str())
    });
    objects
}

fn sim(schedule: &Schedule) -> Sim {
    let mut sim = Sim::new().with_bucket(BUCKET).with_bucket(ELSEWHERE);
    if schedule.versioned {
        sim = sim.with_versioned_bucket(BUCKET).with_versioned_bucket(ELSEWHERE);
    }
    match schedule.rewrite_step {
        Some(bytes) => sim.with_rewrite_step(bytes),
        None => sim,
    }
}

fn versions(sim: &Sim) -> BTreeSet<Place> {
    let objects = [BUCKET, ELSEWHERE].map(|bucket| [sim.objects(bucket), sim.noncurrent(bucket)]);
    let objects = objects.into_iter().flatten().flatten();
    objects.map(|object| place(&object)).collect()
}

fn written(sim: &Sim) -> BTreeMap<Place, Metadata> {
    let objects = [BUCKET, ELSEWHERE].map(|bucket| sim.objects(bucket));
    let objects = objects.into_iter().flatten();
    objects.map(|object| (place(&object), object.metadata)).collect()
}

fn place(object: &Object) -> Place {
    Place {
        bucket: object.bucket.clone(),
        name: object.name.clone(),
        generation: object.generation,
    }
}

/// A machine's clock, which is off by as much.
#[derive(Debug)]
struct Skewed {
    sim: Sim,
    by: SignedDuration,
}

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        let now = self.sim.clock().now();
        now.checked_add(self.by).unwrap_or(now)
    }
}
