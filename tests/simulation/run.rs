//! One run: a world from a seed, in which things go wrong for a while, and then no more.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use brigade_poller::{
    clock::Clock,
    filter::Filters,
    poll::{Budgets, Parts, Poller, Trigger},
    report::Events,
    settle::Settler,
};
use brigade_proto::v1::{PollRequest, Settlement, poll_response::Event};
use brigade_storage::{
    Bucket, Location, Object, Operation, Store as _,
    sim::{By, Fate, Injected, Mutation, SeededFaults, Sim},
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    people::{BUCKET, ELSEWHERE, People, release_holds},
    planted::{Misread, Planted},
    schedule::Schedule,
    wire::Wire,
    worker::{Heard, SimWorker},
};

/// How often the worker is asked about one object.
pub(crate) const MAX_ATTEMPTS: u32 = 5;

/// Long enough for every lease to expire, and for every retry to be due.
const A_LONG_WHILE: Duration = Duration::from_hours(2);

/// The longest delay of a storage call.
const SLOW: Duration = Duration::from_secs(90);

/// The polls after which nothing but what the worker itself puts off may be left, and those after which nothing may.
const CALM_POLLS: [usize; 2] = [2, 3];

/// What is known of a run when it is over.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) schedule: Schedule,
    pub(crate) history: Vec<Mutation>,
    pub(crate) fates: Vec<Fate>,
    pub(crate) heard: BTreeMap<(String, i64), Heard>,
    pub(crate) reports: Vec<Report>,
    /// What was left in the inbox after the first calm polls.
    pub(crate) left: Vec<Object>,
    pub(crate) calls: u64,
    pub(crate) lists: u64,
    pub(crate) injected: Injected,
    pub(crate) ways: u64,
}

/// What one poll said.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Report {
    pub(crate) poller: usize,
    pub(crate) settled: Vec<Said>,
    pub(crate) finished: bool,
    pub(crate) error: Option<String>,
    /// It was dropped before it ended.
    pub(crate) crashed: bool,
}

/// What a poll said of one object.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Said {
    pub(crate) name: String,
    pub(crate) generation: i64,
    pub(crate) settlement: Settlement,
    pub(crate) destination: String,
}

// === impl Run ===

impl Run {
    /// The run of a schedule, with a bug planted or without.
    pub(crate) fn of(schedule: Schedule, planted: Planted) -> Self {
        // All random numbers of the code under test come from this thread's generator.
        fastrand::seed(schedule.seed);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O can be made");
        runtime.block_on(World::new(schedule, planted).run())
    }

    /// Everything that people uploaded.
    pub(crate) fn uploads(&self) -> u64 {
        let people = |fate: &&Fate| fate.by == By::People;
        self.fates.iter().filter(people).count() as u64
    }

    /// Uploads that people replaced or deleted.
    pub(crate) fn taken_away(&self) -> u64 {
        let people = |fate: &&Fate| fate.removed_by == Some(By::People);
        self.fates.iter().filter(people).count() as u64
    }

    /// The same for the same run, and another one for another.
    pub(crate) fn trace(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        format!("{:?}", self.history).hash(&mut hasher);
        self.reports.hash(&mut hasher);
        hasher.finish()
    }
}

/// Everything that a run is made of.
struct World {
    schedule: Schedule,
    planted: Planted,
    sim: Sim,
    worker: Arc<Misread<SimWorker>>,
    calls: Arc<AtomicU64>,
}

// === impl World ===

impl World {
    fn new(schedule: Schedule, planted: Planted) -> Self {
        let worker = Misread {
            inner: SimWorker::new(&schedule),
            planted,
            remembered: Mutex::default(),
        };
        Self {
            sim: Sim::new(),
            worker: Arc::new(worker),
            calls: Arc::default(),
            schedule,
            planted,
        }
    }

    async fn run(mut self) -> Run {
        // The simulation's clock begins when it is made, within the runtime.
        self.sim = Sim::new().with_bucket(BUCKET).with_bucket(ELSEWHERE);
        let mut people = People::new(self.sim.clone(), &self.schedule);
        people.begin();
        let pollers: Vec<_> = (0..self.schedule.pollers)
            .map(|number| Poller::new(self.parts(number), CancellationToken::new()))
            .collect();
        let mut reports = self.rough(people, &pollers).await;
        let left = self.calm(&pollers[0], &mut reports).await;
        Run {
            history: self.sim.history(),
            fates: self.sim.fates(),
            heard: self.worker.inner.heard(),
            reports,
            left,
            calls: self.calls.load(Ordering::Relaxed),
            lists: self.sim.calls(Operation::List),
            injected: self.sim.injected(),
            ways: self.worker.inner.ways(),
            schedule: self.schedule,
        }
    }

    /// Everybody at once, and everything goes wrong.
    async fn rough(&self, people: People, pollers: &[Poller]) -> Vec<Report> {
        let faults = self.schedule.rng("faults").u64(..);
        self.sim
            .set_faults(SeededFaults::new(faults, self.schedule.faults, SLOW));
        let polls = pollers
            .iter()
            .enumerate()
            .map(|(number, poller)| self.polls(number, poller));
        let meddling = people.meddle(self.schedule.meddling, self.schedule.between);
        let (reports, ()) = tokio::join!(futures::future::join_all(polls), meddling);
        reports.into_iter().flatten().collect()
    }

    /// All polls of one poller, one after the other or over each other.
    async fn polls(&self, number: usize, poller: &Poller) -> Vec<Report> {
        let mut rng = self.schedule.rng(&format!("poller {number}"));
        let mut at = Duration::ZERO;
        let mut polls = Vec::new();
        for _ in 0..self.schedule.polls {
            let pause = self.schedule.between.mul_f64(rng.f64());
            at += pause;
            let begin = if self.schedule.overlapping { at } else { pause };
            let crash = (rng.u16(0..1_000) < self.schedule.crashes).then(|| rng.usize(1..200));
            polls.push(async move {
                sleep(begin).await;
                poll(number, poller, crash).await
            });
        }
        if self.schedule.overlapping {
            return futures::future::join_all(polls).await;
        }
        let mut reports = Vec::new();
        for poll in polls {
            reports.push(poll.await);
        }
        reports
    }

    /// Nothing goes wrong any more: one poller alone brings everything to its end.
    async fn calm(&self, poller: &Poller, reports: &mut Vec<Report>) -> Vec<Object> {
        self.sim.clear_faults();
        self.worker.inner.calm_down();
        release_holds(&self.sim);
        let mut left = None;
        for polls in CALM_POLLS {
            for _ in 0..polls {
                sleep(A_LONG_WHILE).await;
                reports.push(poll(0, poller, None).await);
            }
            left.get_or_insert_with(|| inbox(&self.sim));
        }
        left.unwrap_or_default()
    }

    fn parts(&self, number: usize) -> Parts {
        let schedule = &self.schedule;
        let location = |elsewhere: bool, prefix: &str| {
            Location::new(if elsewhere { ELSEWHERE } else { BUCKET }, prefix)
        };
        let inbox = location(false, "in/");
        let processed = location(schedule.processed_elsewhere, "processed/");
        let failed = location(schedule.failed_elsewhere, "failed/");
        let clock: Arc<dyn Clock> = Arc::new(Skewed {
            sim: self.sim.clone(),
            by: self.skew(number),
        });
        Parts {
            filters: Filters {
                inbox: inbox.clone(),
                destinations: vec![processed.clone(), failed.clone()],
                min_age: Duration::ZERO,
                matching: None,
            },
            settler: Settler {
                source: self.bucket(&inbox.bucket),
                processed_bucket: self.bucket(&processed.bucket),
                failed_bucket: self.bucket(&failed.bucket),
                inbox,
                processed,
                failed,
                clock: clock.clone(),
            },
            worker: self.worker.clone(),
            queue: None,
            budgets: Budgets {
                concurrency: schedule.concurrency,
                process_timeout: Duration::from_mins(5),
                poll_deadline: Duration::from_mins(10),
                max_objects: None,
                max_attempts: MAX_ATTEMPTS,
                breaker: 5,
            },
            clock,
            lease: schedule.lease,
            observer: None,
        }
    }

    fn bucket(&self, name: &str) -> Arc<dyn Bucket> {
        Arc::new(Wire {
            inner: self.sim.bucket(name),
            page: self.schedule.page,
            planted: self.planted,
            calls: self.calls.clone(),
        })
    }

    /// Every other clock is behind, the others are ahead.
    fn skew(&self, number: usize) -> SignedDuration {
        let skew = SignedDuration::try_from(self.schedule.skew).unwrap_or_default();
        if number.is_multiple_of(2) {
            skew
        } else {
            -skew
        }
    }
}

/// What is left in the inbox.
pub(crate) fn inbox(sim: &Sim) -> Vec<Object> {
    let mut objects = sim.objects(BUCKET);
    objects.retain(|object| object.name.starts_with("in/"));
    objects
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

/// One poll to its end, or until it has been woken `crash` times.
async fn poll(number: usize, poller: &Poller, crash: Option<usize>) -> Report {
    let (poll, events) = poller
        .prepare(&PollRequest::default(), &Trigger::default())
        .expect("an empty request is valid");
    let crashing = Crashing {
        poll: Some(Box::pin(poll)),
        left: crash.unwrap_or(usize::MAX),
    };
    let (crashed, report) = tokio::join!(crashing, listen(number, events));
    Report { crashed, ..report }
}

async fn listen(poller: usize, mut events: Events) -> Report {
    let mut report = Report {
        poller,
        ..Report::default()
    };
    while let Some(event) = events.recv().await {
        match event.map(|response| response.event) {
            Ok(Some(Event::Settled(settled))) => {
                let settlement = settled.settlement();
                let object = settled.object.unwrap_or_default();
                report.settled.push(Said {
                    name: object.name,
                    generation: object.generation,
                    settlement,
                    destination: settled.destination,
                });
            }
            Ok(Some(Event::Finished(_))) => report.finished = true,
            Ok(_) => {}
            Err(error) => report.error = Some(error.to_string()),
        }
    }
    report
}

/// A process that is killed when its future has been polled so many times. Says whether it was.
struct Crashing<F> {
    poll: Option<Pin<Box<F>>>,
    left: usize,
}

impl<F: Future<Output = ()>> Future for Crashing<F> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        if self.left == 0 {
            self.poll = None;
            return Poll::Ready(true);
        }
        self.left -= 1;
        match &mut self.poll {
            Some(poll) => poll.as_mut().poll(context).map(|()| false),
            None => Poll::Ready(true),
        }
    }
}
