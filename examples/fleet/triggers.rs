//! How objects come to the poller: polls, pushes, tasks.

use crate::{
    facts::{MINUTE, PAGE, SECOND},
    fleet::{Fleet, Poll},
    scenario::Dispatch,
    timeline::{Event, Id, Micros},
};

/// `BRIGADE_POLL_DEADLINE`.
const DEADLINE: Micros = 10 * MINUTE;
/// How often a poll renews its lease.
const RENEWAL: Micros = 20 * SECOND;
/// Tasks that a poll creates at once.
const CREATIONS: f64 = 32.0;
/// The pause between two passes when no file came for a minute.
const LONG_PAUSE: Micros = 15 * SECOND;

impl Fleet {
    /// The tick of Cloud Scheduler. A poll that finds another one at work ends.
    pub(crate) fn tick(&mut self) {
        let (Dispatch::Sweep { every, .. } | Dispatch::Tasks { every }) = self.scenario.dispatch
        else {
            return;
        };
        self.timeline.after(every, Event::Tick);
        if self.poll.is_some() {
            return;
        }
        let began = self.timeline.now;
        self.poll = Some(Poll {
            at: None,
            began,
            unlisted: 0,
            is_listing: false,
            open: 0,
            last_new: began,
        });
        if let Some(at) = self.poller.request(&mut self.timeline, None) {
            self.begin_poll(at);
        }
    }

    pub(crate) fn begin_poll(&mut self, at: usize) {
        // The lease, and the look at the brake.
        self.counts.class_a += 1;
        self.counts.class_b += 1;
        if let Some(poll) = &mut self.poll {
            poll.at = Some(at);
        }
        self.ask_for_page(self.scenario.storage, true);
    }

    /// Asks for a page, or begins a pass.
    fn ask_for_page(&mut self, pause: Micros, is_pass: bool) {
        let count = self.inbox.len();
        if let Some(poll) = &mut self.poll {
            poll.is_listing = true;
            if is_pass {
                poll.unlisted = count;
            }
            self.timeline.after(pause + self.scenario.list, Event::List);
        }
    }

    pub(crate) fn list(&mut self) {
        self.counts.class_a += 1;
        let Some(poll) = &mut self.poll else { return };
        let Some(at) = poll.at else { return };
        poll.is_listing = false;
        let is_relisting =
            matches!(self.scenario.dispatch, Dispatch::Sweep { relist: Some(_), .. });
        // A page that was asked for after a pause has what came meanwhile too.
        let known = if is_relisting { self.inbox.len() } else { poll.unlisted };
        let count = known.min(PAGE).min(self.inbox.len());
        poll.unlisted = known - count;
        let page: Vec<Id> = self.inbox.drain(..count).collect();
        poll.open += page.len();
        if count > 0 {
            poll.last_new = self.timeline.now;
        }
        if let Dispatch::Tasks { .. } = self.scenario.dispatch {
            // What is in the queue is in the inbox too: its creation is tried again, and refused.
            self.counts.task_operations += self.queue.tasks as u64;
            for (place, id) in page.into_iter().enumerate() {
                // One instance creates the tasks of all slices.
                let turn = place as f64 * self.scenario.slice / CREATIONS;
                let pause = (turn.max(1.0) * self.scenario.create as f64) as Micros;
                self.timeline.after(pause, Event::Created(id));
            }
        } else {
            self.gate(at).waiting.extend(page);
        }
        self.dispatch(at);
    }

    /// The next page of the poll on this instance, or its end.
    pub(crate) fn turn_page(&mut self, at: usize) {
        let now = self.timeline.now;
        let waiting = self.gates[at].waiting.len();
        let Some(poll) = &self.poll else { return };
        if poll.at != Some(at) || poll.is_listing {
            return;
        }
        let is_late = now >= poll.began + DEADLINE;
        let is_short = waiting < self.scenario.in_flight && !is_late;
        match self.scenario.dispatch {
            _ if is_short && poll.unlisted > 0 => self.ask_for_page(0, false),
            Dispatch::Sweep { relist: Some(pause), .. } if is_short => {
                let is_quiet = now > poll.last_new + MINUTE;
                self.ask_for_page(if is_quiet { LONG_PAUSE } else { pause }, true);
            }
            _ => {}
        }
        let Some(poll) = &mut self.poll else { return };
        if is_late && matches!(self.scenario.dispatch, Dispatch::Sweep { .. }) {
            // What it has not begun stays in the inbox.
            let back = self.gates[at].waiting.drain(..);
            poll.open -= back.len();
            for id in back.rev() {
                self.inbox.push_front(id);
            }
        }
        if poll.open == 0 && !poll.is_listing {
            self.counts.class_a += (now - poll.began) / RENEWAL;
            self.poll = None;
            if let Some(next) = self.poller.release(now, at) {
                self.takes(next, at);
            }
        }
    }

    pub(crate) fn announced(&mut self, id: Id) {
        self.push.waiting.push_back(id);
        self.push_more();
    }

    fn push_more(&mut self) {
        while let Some(id) = self.push.next() {
            if let Some(at) = self.poller.request(&mut self.timeline, Some(id)) {
                self.checks(id, at);
            }
        }
    }

    pub(crate) fn created(&mut self, id: Id) {
        self.counts.task_operations += 1;
        self.queue.tasks += 1;
        self.queue.waiting.push_back(id);
        self.deliver();
        // Its poll is done with it.
        if let Some(poll) = &mut self.poll {
            poll.open -= 1;
            if let Some(at) = poll.at {
                self.turn_page(at);
            }
        }
    }

    pub(crate) fn deliver(&mut self) {
        loop {
            match self.queue.next(self.timeline.now) {
                Ok(id) => {
                    self.counts.task_operations += 1;
                    if let Some(at) = self.poller.request(&mut self.timeline, Some(id)) {
                        self.checks(id, at);
                    }
                }
                Err(Some(pause)) => {
                    if !std::mem::replace(&mut self.queue.is_waking, true) {
                        self.timeline.after(pause, Event::Deliver);
                    }
                    return;
                }
                Err(None) => return,
            }
        }
    }

    /// The request of an object has its answer.
    pub(crate) fn delivered(&mut self, _: Id, at: usize, is_success: bool) {
        match self.scenario.dispatch {
            Dispatch::Sweep { .. } => {
                if let Some(poll) = &mut self.poll {
                    poll.open -= 1;
                }
                return;
            }
            Dispatch::Events => self.push.ended(is_success),
            Dispatch::Tasks { .. } => {
                self.queue.in_flight -= 1;
                self.queue.tasks -= 1;
            }
        }
        if let Some(next) = self.poller.release(self.timeline.now, at) {
            self.takes(next, at);
        }
        self.push_more();
        self.deliver();
    }

    /// Cloud Run had no instance of the poller for the request: it comes again.
    pub(crate) fn undelivered(&mut self, id: Id) {
        let pause = self.backoff(id);
        if self.scenario.dispatch == Dispatch::Events {
            self.push.ended(false);
            self.timeline.after(pause, Event::Announced(id));
        } else {
            self.queue.in_flight -= 1;
            self.queue.waiting.push_back(id);
            self.queue.is_waking = true;
            self.timeline.after(pause, Event::Deliver);
        }
    }
}
