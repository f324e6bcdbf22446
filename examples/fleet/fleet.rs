//! The fleet: what each event does. `run` gives a scenario's outcome, which is the same for the same scenario.

use std::{collections::VecDeque, time::Duration};

use fastrand::Rng;
use tokio::time::Instant;

use crate::{
    breaker::Breaker,
    bucket::{Bucket, Rate},
    delivery::{Push, Queue},
    facts::{MINUTE, QUEUE_IN_FLIGHT, QUEUE_RATE, SCALING_EVERY, SECOND, WINDOW_MAX, WINDOW_START},
    limit::{Limit, Ticket},
    outcome::{Counts, Outcome},
    scenario::{Dispatch, Mistake, Scenario},
    service::Service,
    timeline::{Event, Id, Micros, Side, Timeline},
};

/// Storage may refuse, and instances may be missing: what is there at the end has so long.
const DRAIN: Micros = 6 * 60 * MINUTE;

pub(crate) struct Fleet {
    pub(crate) scenario: Scenario,
    pub(crate) timeline: Timeline,
    pub(crate) rng: Rng,
    pub(crate) bucket: Bucket,
    pub(crate) poller: Service,
    pub(crate) worker: Service,
    pub(crate) objects: Vec<Object>,
    pub(crate) gates: Vec<Gate>,
    /// Uploaded, and not yet listed or announced.
    pub(crate) inbox: VecDeque<Id>,
    pub(crate) poll: Option<Poll>,
    pub(crate) push: Push,
    pub(crate) queue: Queue,
    pub(crate) counts: Counts,
    pub(crate) outcome: Outcome,
    began: Instant,
    counted_at: Micros,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Object {
    pub(crate) uploaded: Option<Micros>,
    /// The last write of its name.
    pub(crate) written: Option<Micros>,
    pub(crate) is_refused: bool,
    pub(crate) is_settled: bool,
    /// The instances that have it.
    pub(crate) poller: usize,
    pub(crate) worker: usize,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) tries: u32,
}

/// What the poller's own code decides on one instance: how many calls, and whether at all.
pub(crate) struct Gate {
    pub(crate) limit: Limit,
    pub(crate) breaker: Breaker,
    pub(crate) waiting: VecDeque<Id>,
    /// From the first call of an object to its settlement.
    pub(crate) open: usize,
    /// It is called again when the breaker may close.
    pub(crate) is_waking: bool,
}

/// The poll that runs.
#[derive(Debug)]
pub(crate) struct Poll {
    /// `None` until an instance has its request.
    pub(crate) at: Option<usize>,
    pub(crate) began: Micros,
    /// Objects of this pass that are not yet listed.
    pub(crate) unlisted: usize,
    pub(crate) is_listing: bool,
    /// Taken and not settled.
    pub(crate) open: usize,
    /// When a pass last found an object.
    pub(crate) last_new: Micros,
}

pub(crate) fn run(scenario: &Scenario) -> Outcome {
    // The poller's own pauses are random too.
    fastrand::seed(scenario.seed);
    Fleet::new(scenario.clone()).run()
}

impl Fleet {
    fn new(scenario: Scenario) -> Self {
        let (poller, worker, slice) = (scenario.poller, scenario.worker, scenario.slice);
        let planted = |mistake| scenario.planted == Some(mistake);
        let mut writes = Rate::new(scenario.writes / slice);
        writes.is_ignored = planted(Mistake::NoWriteLimit);
        let mut workers = Service::new(Side::Worker, worker.places, worker.start, worker.max);
        workers.is_overfull = planted(Mistake::Overfull);
        let queue = Queue::new(QUEUE_RATE / slice, (QUEUE_IN_FLIGHT as f64 / slice) as usize);
        Self {
            timeline: Timeline::default(),
            rng: Rng::with_seed(scenario.seed),
            bucket: Bucket { writes, reads: Rate::new(scenario.reads / slice) },
            poller: Service::new(Side::Poller, poller.places, poller.start, poller.max),
            worker: workers,
            objects: Vec::new(),
            gates: Vec::new(),
            inbox: VecDeque::new(),
            poll: None,
            push: Push {
                window: if planted(Mistake::NoWindow) { 1e9 } else { WINDOW_START / slice },
                max: if planted(Mistake::NoWindow) { 1e9 } else { WINDOW_MAX / slice },
                in_flight: 0,
                waiting: VecDeque::new(),
            },
            queue,
            counts: Counts::default(),
            outcome: Outcome { measured: scenario.measured, ..Outcome::default() },
            began: Instant::now(),
            counted_at: 0,
            scenario,
        }
    }

    fn run(mut self) -> Outcome {
        for _ in 0..self.scenario.backlog {
            let id = self.new_object();
            self.uploaded(id);
        }
        if self.scenario.rate > 0.0 {
            self.timeline.after(0, Event::Arrive);
        }
        self.timeline.after(SCALING_EVERY, Event::Scale);
        if self.scenario.dispatch != Dispatch::Events {
            self.timeline.after(0, Event::Tick);
        }
        let mut is_warm = self.scenario.warm_up == 0;
        let (last, end) = (self.last_arrival(), self.last_arrival() + DRAIN);
        while let Some(event) = self.timeline.next(end) {
            self.count_time();
            if !is_warm && self.timeline.now >= self.scenario.warm_up {
                is_warm = true;
                self.poller.forget(self.timeline.now);
                self.worker.forget(self.timeline.now);
                self.counts = Counts::default();
                self.outcome.settled = 0;
            }
            self.handle(event);
            let is_done =
                self.timeline.now > last && self.outcome.open() == 0 && self.poll.is_none();
            if is_done {
                break;
            }
        }
        self.finish()
    }

    pub(crate) fn last_arrival(&self) -> Micros {
        self.scenario.warm_up + self.scenario.measured
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Arrive => self.arrive(),
            Event::Upload(id) => self.upload(id),
            Event::Announced(id) => self.announced(id),
            Event::Tick => self.tick(),
            Event::List => self.list(),
            Event::Created(id) => self.created(id),
            Event::Deliver => {
                self.queue.is_waking = false;
                self.deliver();
            }
            Event::Checked(id) => self.checked(id),
            Event::Dispatch(at) => {
                self.gate(at).is_waking = false;
                self.dispatch(at);
            }
            Event::Alive(id) => self.alive(id),
            Event::Answered(id) => self.answered(id),
            Event::Lost(id) => self.lost(id),
            Event::Mark(id) => self.mark(id),
            Event::Move(id) => self.rename(id),
            Event::Settled(id) => self.settled(id),
            Event::Started(side, at) => self.started(side, at),
            Event::Scale => self.scale(),
        }
    }

    pub(crate) fn new_object(&mut self) -> Id {
        let is_refused = self.rng.f64() < self.scenario.refused;
        self.objects.push(Object { is_refused, ..Object::default() });
        self.objects.len() - 1
    }

    fn count_time(&mut self) {
        let (from, to) = (self.scenario.warm_up, self.last_arrival());
        let (since, now) = (self.counted_at.max(from), self.timeline.now.min(to));
        if now > since {
            self.outcome.area += self.outcome.open() as f64 * crate::outcome::seconds(now - since);
        }
        self.counted_at = self.timeline.now;
    }

    /// The poller's code counts in tokio's time.
    pub(crate) fn instant(&self) -> Instant {
        self.began + Duration::from_micros(self.timeline.now)
    }

    /// The pause before a call is made again: from 1 s, doubling, to 32 s.
    pub(crate) fn backoff(&mut self, id: Id) -> Micros {
        let tries = self.objects[id].tries;
        self.objects[id].tries += 1;
        let longest = SECOND << tries.min(5);
        longest / 2 + self.rng.u64(0..longest / 2)
    }

    fn finish(mut self) -> Outcome {
        let now = self.timeline.now;
        let mut outcome = self.outcome;
        outcome.latencies.sort_unstable();
        outcome.counts = self.counts;
        outcome.worker_requests = self.worker.requests;
        outcome.poller_requests = self.poller.requests;
        outcome.poller_seconds = crate::outcome::seconds(self.poller.billed(now));
        outcome.worker_seconds = crate::outcome::seconds(self.worker.billed(now));
        outcome.pollers = self.poller.peak;
        outcome.workers = self.worker.peak;
        outcome.refused = self.bucket.writes.refused + self.bucket.reads.refused;
        outcome.last_refused = self.bucket.writes.last_refused.max(self.bucket.reads.last_refused);
        outcome.refused_requests = self.poller.refused + self.worker.refused;
        let excess = self.bucket.writes.excess.max(self.bucket.reads.excess);
        if excess > 0.0 {
            outcome
                .broken
                .push(format!("the bucket took {excess} calls over its limit in a second"));
        }
        for service in [&mut self.poller, &mut self.worker] {
            if service.fullest > service.places {
                outcome.broken.push(format!("an instance had {} requests", service.fullest));
            }
        }
        let lost =
            self.objects.iter().filter(|object| object.uploaded.is_some() && !object.is_settled);
        let lost = lost.count();
        if lost > 0 {
            outcome.broken.push(format!("{lost} objects were never settled"));
        }
        outcome
    }
}
