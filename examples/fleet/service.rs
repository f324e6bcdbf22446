//! A service on Cloud Run: instances with so many requests at once, which start and end by its rule.

use std::collections::VecDeque;

use crate::{
    facts::{CONCURRENCY_TARGET, IDLE, PENDING, SCALING_EVERY, SCALING_WINDOW},
    timeline::{Event, Micros, Side, Timeline},
};

/// `None` is the request of a poll.
pub(crate) type Request = Option<usize>;

#[derive(Debug)]
pub(crate) struct Service {
    side: Side,
    /// Requests of one instance at once.
    pub(crate) places: usize,
    pub(crate) start: Micros,
    pub(crate) max: usize,
    pub(crate) instances: Vec<Instance>,
    pending: VecDeque<(Request, Micros)>,
    pub(crate) in_flight: usize,
    /// Of the last minute, at each evaluation.
    samples: VecDeque<usize>,
    pub(crate) requests: u64,
    pub(crate) refused: u64,
    /// Instances that the autoscaler wants, and those with a request.
    wanted: usize,
    busy: usize,
    /// The most with a request at once since [`Service::forget`], the most requests of one instance, and the seconds billed.
    pub(crate) peak: usize,
    pub(crate) fullest: usize,
    pub(crate) billed: Micros,
    pub(crate) is_overfull: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Instance {
    pub(crate) is_ready: bool,
    is_starting: bool,
    pub(crate) in_flight: usize,
    /// Since when it has a request, or has none.
    since: Micros,
}

// === impl Service ===

impl Service {
    pub(crate) fn new(side: Side, places: usize, start: Micros, max: usize) -> Self {
        Self {
            side,
            places,
            start,
            max,
            instances: Vec::new(),
            pending: VecDeque::new(),
            in_flight: 0,
            samples: VecDeque::new(),
            requests: 0,
            refused: 0,
            wanted: 0,
            busy: 0,
            peak: 0,
            fullest: 0,
            billed: 0,
            is_overfull: false,
        }
    }

    /// The instance that takes the request, or none: then it waits for one.
    pub(crate) fn request(&mut self, timeline: &mut Timeline, request: Request) -> Option<usize> {
        self.requests += 1;
        if let Some(at) = self.free() {
            self.take(timeline.now, at);
            return Some(at);
        }
        self.pending.push_back((request, timeline.now));
        let starting = self.instances.iter().filter(|instance| instance.is_starting).count();
        if starting * self.places < self.pending.len() {
            self.start_one(timeline);
        }
        None
    }

    /// The one with the fewest requests of those that the autoscaler wants, else any that has a place.
    fn free(&self) -> Option<usize> {
        let places = self.places + usize::from(self.is_overfull);
        let has_place =
            |&at: &usize| self.instances[at].is_ready && self.instances[at].in_flight < places;
        let wanted = self.wanted.min(self.instances.len());
        let least = (0..wanted).filter(has_place).min_by_key(|&at| self.instances[at].in_flight);
        least.or_else(|| (wanted..self.instances.len()).find(has_place))
    }

    fn take(&mut self, now: Micros, at: usize) {
        let instance = &mut self.instances[at];
        if instance.in_flight == 0 {
            instance.since = now;
            self.busy += 1;
            self.peak = self.peak.max(self.busy);
        }
        instance.in_flight += 1;
        self.in_flight += 1;
        self.fullest = self.fullest.max(instance.in_flight);
    }

    /// A request has ended.
    pub(crate) fn release(&mut self, now: Micros, at: usize) -> Option<Request> {
        let instance = &mut self.instances[at];
        instance.in_flight -= 1;
        self.in_flight -= 1;
        if instance.in_flight == 0 {
            self.billed += now - instance.since;
            instance.since = now;
            self.busy -= 1;
        }
        let (request, _) = self.pending.pop_front()?;
        self.take(now, at);
        Some(request)
    }

    /// An instance is ready: what it takes of those that wait.
    pub(crate) fn started(&mut self, now: Micros, at: usize) -> Vec<Request> {
        self.instances[at] = Instance { is_ready: true, since: now, ..Instance::default() };
        self.billed += self.start;
        let count = self.pending.len().min(self.places);
        let taken: Vec<_> = self.pending.drain(..count).map(|(request, _)| request).collect();
        for _ in 0..count {
            self.take(now, at);
        }
        taken
    }

    /// What the autoscaler does now, and the requests that waited too long.
    pub(crate) fn scale(&mut self, timeline: &mut Timeline) -> Vec<Request> {
        let now = timeline.now;
        self.samples.push_back(self.in_flight + self.pending.len());
        while self.samples.len() as u64 > SCALING_WINDOW / SCALING_EVERY {
            self.samples.pop_front();
        }
        let mean = self.samples.iter().sum::<usize>() as f64 / self.samples.len() as f64;
        let wanted = (mean / (self.places as f64 * CONCURRENCY_TARGET)).ceil();
        let wanted = wanted as usize;
        for instance in &mut self.instances {
            if instance.is_ready && instance.in_flight == 0 && now > instance.since + IDLE {
                *instance = Instance::default();
            }
        }
        self.wanted = wanted;
        while self.count() < wanted.min(self.max) {
            self.start_one(timeline);
        }
        let wait = PENDING.max(self.start * 7 / 2);
        let is_late = |(_, since): &&(Request, Micros)| now > since + wait;
        let late = self.pending.iter().take_while(is_late).count();
        self.refused += late as u64;
        self.pending.drain(..late).map(|(request, _)| request).collect()
    }

    fn start_one(&mut self, timeline: &mut Timeline) {
        if self.count() >= self.max {
            return;
        }
        let is_free = |instance: &Instance| !instance.is_ready && !instance.is_starting;
        let at = self.instances.iter().position(is_free).unwrap_or_else(|| {
            self.instances.push(Instance::default());
            self.instances.len() - 1
        });
        self.instances[at].is_starting = true;
        timeline.after(self.start, Event::Started(self.side, at));
    }

    fn count(&self) -> usize {
        self.instances.iter().filter(|instance| instance.is_ready || instance.is_starting).count()
    }

    /// Begins to count from now.
    pub(crate) fn forget(&mut self, now: Micros) {
        self.peak = self.busy;
        self.billed = 0;
        self.requests = 0;
        for instance in self.instances.iter_mut().filter(|instance| instance.in_flight > 0) {
            instance.since = now;
        }
    }

    /// Time billed until now.
    pub(crate) fn billed(&self, now: Micros) -> Micros {
        let busy = self.instances.iter().filter(|instance| instance.in_flight > 0);
        self.billed + busy.map(|instance| now - instance.since).sum::<Micros>()
    }
}
