//! The world of one run: things go wrong in it for a while, and then no more.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use brigade_poller::{
    clock::Clock,
    config::{Budgets, Config},
    poller::Poller,
};
use brigade_sim::{Place, SeededFaults, Sim};
use brigade_storage::{Location, Metadata, NewObject, Object, Operation, Store as _};
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use crate::{
    people::{BUCKET, ELSEWHERE, NO_WORK, People, release_holds},
    planted::{Misread, Planted},
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

/// The polls after which nothing but what the worker itself puts off may be left, and those after which nothing may.
const CALM_POLLS: [usize; 2] = [2, 3];

/// Everything that a run is made of.
pub(crate) struct World {
    schedule: Schedule,
    planted: Planted,
    sim: Sim,
    worker: Arc<Misread<SimWorker>>,
    counts: Arc<Mutex<Counts>>,
    polls: AtomicU64,
    duplicates: AtomicU64,
}

// === impl World ===

impl World {
    pub(crate) fn new(schedule: Schedule, planted: Planted) -> Self {
        let worker =
            Misread { inner: SimWorker::new(&schedule), planted, remembered: Mutex::default() };
        Self {
            sim: sim(&schedule),
            worker: Arc::new(worker),
            counts: Arc::default(),
            polls: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            schedule,
            planted,
        }
    }

    pub(crate) async fn run(self) -> Run {
        let mut people = People::new(self.sim.clone(), &self.schedule);
        people.begin();
        if self.schedule.lease && self.schedule.orphaned {
            let lease = NewObject {
                metadata: [("brigade-holder".into(), "a dead poll".into())].into(),
                ..NewObject::default()
            };
            let left = self.sim.bucket(BUCKET).create(LEASE, 0, lease).await;
            left.expect("nothing goes wrong yet");
        }
        let mut reports = self.rough(people).await;
        let left = self.calm(&mut reports).await;
        Run {
            history: self.sim.history(),
            fates: self.sim.fates(),
            heard: self.worker.inner.heard(),
            reports,
            left,
            written: written(&self.sim),
            versions: versions(&self.sim),
            counts: *self.counts.lock().expect("no run panics and goes on"),
            lists: self.sim.calls(Operation::List),
            injected: self.sim.injected(),
            troubles: self.worker.inner.troubles(),
            duplicates: self.duplicates.load(Ordering::Relaxed),
            schedule: self.schedule,
        }
    }

    /// Everybody at once, and everything goes wrong.
    async fn rough(&self, people: People) -> Vec<Report> {
        let faults = self.schedule.rng("faults").u64(..);
        self.sim.set_faults(SeededFaults::new(faults, self.schedule.faults, SLOW));
        let polls = (0..self.schedule.pollers).map(|number| self.polls(number));
        let meddling = people.meddle(self.schedule.meddling, self.schedule.between);
        let (reports, ()) = tokio::join!(futures::future::join_all(polls), meddling);
        reports.into_iter().flatten().collect()
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
            let errands = self.triggered(number, &mut rng);
            polls.push(async move {
                sleep(begin).await;
                futures::future::join_all(errands.into_iter().map(Errand::run)).await
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
    fn triggered(&self, number: usize, rng: &mut Rng) -> Vec<Errand> {
        let twice = rng.u16(0..1_000) < self.schedule.duplicates;
        self.duplicates.fetch_add(u64::from(twice), Ordering::Relaxed);
        let times = if twice { 2 } else { 1 };
        (0..times).map(|_| self.errand(number).drawn(&self.schedule, rng)).collect()
    }

    /// A poll by a process of its own.
    fn errand(&self, number: usize) -> Errand {
        let id = self.polls.fetch_add(1, Ordering::Relaxed);
        Errand::new(id, number, self.poller(number))
    }

    /// Nothing goes wrong any more: one poller alone brings everything to its end.
    async fn calm(&self, reports: &mut Vec<Report>) -> Vec<Object> {
        self.sim.clear_faults();
        self.worker.inner.calm_down();
        release_holds(&self.sim);
        let mut left = None;
        for polls in CALM_POLLS {
            for _ in 0..polls {
                sleep(A_LONG_WHILE).await;
                reports.push(self.errand(0).run().await);
            }
            left.get_or_insert_with(|| inbox(&self.sim));
        }
        left.unwrap_or_default()
    }

    fn poller(&self, number: usize) -> Poller {
        let schedule = &self.schedule;
        let location = |elsewhere: bool, prefix: &str| {
            Location::new(if elsewhere { ELSEWHERE } else { BUCKET }, prefix)
        };
        let config = Config {
            processed: location(schedule.processed_elsewhere, "processed/"),
            failed: location(schedule.failed_elsewhere, "failed/"),
            budgets: Budgets {
                concurrency: schedule.concurrency,
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
        };
        let clock = Skewed { sim: self.sim.clone(), by: self.skew(number) };
        Poller::new(config, &wires, self.worker.clone())
            .clock(Arc::new(clock))
            .lease(schedule.lease)
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
