//! What brings objects to the poller one by one: Pub/Sub's push window, and a queue of Cloud Tasks.

use std::collections::VecDeque;

use crate::{
    facts::SECOND,
    timeline::{Id, Micros},
};

/// A push subscription: so many pushes at once as it has found that its endpoint takes.
#[derive(Debug)]
pub(crate) struct Push {
    pub(crate) window: f64,
    pub(crate) max: f64,
    pub(crate) in_flight: usize,
    pub(crate) waiting: VecDeque<Id>,
}

/// A queue: so many deliveries a second, and so many at once.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) rate: f64,
    pub(crate) max: usize,
    pub(crate) in_flight: usize,
    /// Tasks that are there, those in flight included.
    pub(crate) tasks: usize,
    pub(crate) waiting: VecDeque<Id>,
    next: Micros,
    /// It is asked again when it may deliver.
    pub(crate) is_waking: bool,
}

// === impl Push ===

impl Push {
    pub(crate) fn next(&mut self) -> Option<Id> {
        if self.in_flight as f64 + 1.0 > self.window.max(1.0) {
            return None;
        }
        let id = self.waiting.pop_front()?;
        self.in_flight += 1;
        Some(id)
    }

    pub(crate) fn ended(&mut self, is_success: bool) {
        self.in_flight -= 1;
        self.window = if is_success {
            (self.window + 1.0).min(self.max)
        } else {
            (self.window / 2.0).max(1.0)
        };
    }
}

// === impl Queue ===

impl Queue {
    pub(crate) fn new(rate: f64, max: usize) -> Self {
        Self {
            rate,
            max,
            in_flight: 0,
            tasks: 0,
            waiting: VecDeque::new(),
            next: 0,
            is_waking: false,
        }
    }

    /// The next task, or when to ask again.
    pub(crate) fn next(&mut self, now: Micros) -> Result<Id, Option<Micros>> {
        if self.in_flight >= self.max || self.waiting.is_empty() {
            return Err(None);
        }
        if now < self.next {
            return Err(Some(self.next - now));
        }
        let pause = (SECOND as f64 / self.rate) as Micros;
        self.next = now.max(self.next) + pause;
        self.in_flight += 1;
        self.waiting.pop_front().ok_or(None)
    }
}
