//! The way of an object: upload, call, answer, mark, move.

use std::collections::VecDeque;

use crate::{
    breaker::{Breaker, Permission},
    facts::{MILLI, SCALING_EVERY, SECOND},
    fleet::{Fleet, Gate},
    limit::Limit,
    scenario::{Dispatch, Mistake},
    service::Request,
    timeline::{Event, Id, Micros, Side},
};

/// When a call that goes on counts as taken.
const ALIVE: Micros = 250 * MILLI;
/// Failed events that open the breaker.
const BREAKER: u32 = 5;

impl Fleet {
    pub(crate) fn arrive(&mut self) {
        if self.timeline.now >= self.last_arrival() {
            return;
        }
        let gap = (-(1.0 - self.rng.f64()).ln() / self.scenario.rate * SECOND as f64) as Micros;
        self.timeline.after(gap, Event::Arrive);
        let id = self.new_object();
        self.upload(id);
    }

    pub(crate) fn upload(&mut self, id: Id) {
        let now = self.timeline.now;
        if self.bucket.write(now, &mut self.objects[id].written) {
            self.objects[id].tries = 0;
            self.uploaded(id);
        } else {
            let pause = self.backoff(id);
            self.timeline.after(pause, Event::Upload(id));
        }
    }

    pub(crate) fn uploaded(&mut self, id: Id) {
        self.outcome.arrived += 1;
        self.objects[id].uploaded = Some(self.timeline.now);
        if self.scenario.dispatch == Dispatch::Events {
            self.counts.publishes += 1;
            self.timeline.after(self.scenario.notice, Event::Announced(id));
        } else {
            self.inbox.push_back(id);
        }
    }

    /// An instance of the poller has the request of an object: it looks whether the object is still there.
    pub(crate) fn checks(&mut self, id: Id, at: usize) {
        self.objects[id].poller = at;
        self.counts.class_b += 1;
        self.bucket.reads.takes(self.timeline.now);
        self.timeline.after(self.scenario.storage, Event::Checked(id));
    }

    pub(crate) fn checked(&mut self, id: Id) {
        let at = self.objects[id].poller;
        self.gate(at).waiting.push_back(id);
        self.dispatch(at);
    }

    pub(crate) fn gate(&mut self, at: usize) -> &mut Gate {
        let in_flight = self.scenario.in_flight;
        self.gates.resize_with(self.gates.len().max(at + 1), || Gate {
            limit: Limit::new(in_flight),
            breaker: Breaker::new(BREAKER),
            waiting: VecDeque::new(),
            open: 0,
            is_waking: false,
        });
        &mut self.gates[at]
    }

    /// Calls the worker while the poller's limit and breaker allow it.
    pub(crate) fn dispatch(&mut self, at: usize) {
        let (in_flight, instant) = (self.scenario.in_flight, self.instant());
        let is_reachable = self.worker.instances.iter().any(|instance| instance.is_ready);
        loop {
            let gate = self.gate(at);
            let is_full = gate.open >= in_flight || gate.limit.in_flight() >= gate.limit.current();
            if is_full || gate.waiting.is_empty() {
                break;
            }
            match gate.breaker.check(instant) {
                Permission::Go => {}
                Permission::Probe => {
                    gate.breaker.probed(instant, is_reachable);
                    continue;
                }
                Permission::Wait(until) => {
                    let pause = until.saturating_duration_since(instant).as_micros();
                    let pause = u64::try_from(pause).unwrap_or(u64::MAX).max(MILLI);
                    if !std::mem::replace(&mut gate.is_waking, true) {
                        self.timeline.after(pause, Event::Dispatch(at));
                    }
                    break;
                }
            }
            let Some(id) = gate.waiting.pop_front() else { break };
            gate.open += 1;
            let ticket = gate.limit.sent();
            self.objects[id].ticket = Some(ticket);
            self.objects[id].poller = at;
            self.timeline.after(ALIVE, Event::Alive(id));
            if let Some(at) = self.worker.request(&mut self.timeline, Some(id)) {
                self.works(id, at);
            }
        }
        self.turn_page(at);
    }

    pub(crate) fn works(&mut self, id: Id, at: usize) {
        self.objects[id].worker = at;
        self.counts.class_b += 1;
        self.bucket.reads.takes(self.timeline.now);
        let (least, most) = self.scenario.work;
        let work = self.rng.u64(least..=most);
        self.timeline.after(self.scenario.call + work, Event::Answered(id));
    }

    pub(crate) fn alive(&mut self, id: Id) {
        let at = self.objects[id].poller;
        if let Some(ticket) = self.objects[id].ticket {
            self.gate(at).limit.accepted(ticket);
            self.dispatch(at);
        }
    }

    pub(crate) fn answered(&mut self, id: Id) {
        let now = self.timeline.now;
        if self.scenario.has_output && !self.bucket.writes.takes(now) {
            let pause = self.backoff(id);
            self.timeline.after(pause, Event::Answered(id));
            return;
        }
        let (at, worker) = (self.objects[id].poller, self.objects[id].worker);
        if let Some(Some(next)) = self.worker.release(now, worker) {
            self.works(next, worker);
        }
        let instant = self.instant();
        let ticket = self.objects[id].ticket.take();
        let gate = self.gate(at);
        if let Some(ticket) = ticket {
            gate.limit.accepted(ticket);
        }
        gate.limit.ended();
        gate.breaker.answered(instant);
        self.objects[id].tries = 0;
        let is_planted = |mistake| self.scenario.planted == Some(mistake) && id.is_multiple_of(100);
        if is_planted(Mistake::Twice) {
            self.timeline.after(self.scenario.storage, Event::Move(id));
        }
        if !is_planted(Mistake::Forgotten) {
            let event = if self.objects[id].is_refused { Event::Mark(id) } else { Event::Move(id) };
            self.timeline.after(0, event);
        }
        self.dispatch(at);
    }

    /// Cloud Run had no instance of the worker for the call.
    pub(crate) fn lost(&mut self, id: Id) {
        let (at, instant) = (self.objects[id].poller, self.instant());
        let ticket = self.objects[id].ticket.take();
        let gate = self.gate(at);
        gate.open -= 1;
        gate.limit.ended();
        if let Some(ticket) = ticket {
            gate.limit.halve(ticket);
        }
        gate.breaker.failed(instant, "429");
        let pause = self.backoff(id);
        self.timeline.after(pause, Event::Checked(id));
    }

    pub(crate) fn mark(&mut self, id: Id) {
        if self.bucket.write(self.timeline.now, &mut self.objects[id].written) {
            self.counts.class_a += 1;
            self.timeline.after(self.scenario.storage, Event::Move(id));
        } else {
            let pause = self.backoff(id);
            self.timeline.after(pause, Event::Mark(id));
        }
    }

    pub(crate) fn rename(&mut self, id: Id) {
        if self.bucket.writes.takes(self.timeline.now) {
            self.counts.class_a += 1;
            self.timeline.after(self.scenario.storage, Event::Settled(id));
        } else {
            let pause = self.backoff(id);
            self.timeline.after(pause, Event::Move(id));
        }
    }

    pub(crate) fn settled(&mut self, id: Id) {
        let now = self.timeline.now;
        if std::mem::replace(&mut self.objects[id].is_settled, true) {
            self.outcome.broken.push(format!("object {id} was settled twice"));
            return;
        }
        self.outcome.count_settled(now);
        let uploaded = self.objects[id].uploaded.unwrap_or_default();
        if uploaded >= self.scenario.warm_up {
            self.outcome.latencies.push(now - uploaded);
        }
        let at = self.objects[id].poller;
        self.gate(at).open -= 1;
        self.delivered(id, at, true);
        self.dispatch(at);
    }

    pub(crate) fn started(&mut self, side: Side, at: usize) {
        let now = self.timeline.now;
        let requests = match side {
            Side::Poller => self.poller.started(now, at),
            Side::Worker => self.worker.started(now, at),
        };
        for request in requests {
            match (side, request) {
                (Side::Worker, Some(id)) => self.works(id, at),
                _ => self.takes(request, at),
            }
        }
    }

    /// An instance of the poller takes a request.
    pub(crate) fn takes(&mut self, request: Request, at: usize) {
        match request {
            Some(id) => self.checks(id, at),
            None => self.begin_poll(at),
        }
    }

    pub(crate) fn scale(&mut self) {
        for id in self.worker.scale(&mut self.timeline).into_iter().flatten() {
            self.timeline.after(0, Event::Lost(id));
        }
        for request in self.poller.scale(&mut self.timeline) {
            match request {
                Some(id) => self.undelivered(id),
                None => self.poll = None,
            }
        }
        self.timeline.after(SCALING_EVERY, Event::Scale);
    }
}
