//! Virtual time: what happens when, in order.

use std::{cmp::Reverse, collections::BinaryHeap};

/// Microseconds since the beginning.
pub(crate) type Micros = u64;
pub(crate) type Id = usize;

/// The two services on Cloud Run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Poller,
    Worker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// The source has another object.
    Arrive,
    Upload(Id),
    /// Pub/Sub has the event of an object.
    Announced(Id),
    /// Cloud Scheduler calls.
    Tick,
    /// The poll asks for a page.
    List,
    /// The queue has the task of an object.
    Created(Id),
    /// The queue may deliver again.
    Deliver,
    /// The poller has seen that a named object is still there.
    Checked(Id),
    /// An instance of the poller may call again.
    Dispatch(usize),
    /// The call of an object has lasted so long that the worker has taken it.
    Alive(Id),
    Answered(Id),
    /// The worker's front end had no instance.
    Lost(Id),
    /// The mark of a failed object is to be written.
    Mark(Id),
    Move(Id),
    Settled(Id),
    /// An instance is ready.
    Started(Side, usize),
    /// The autoscaler of both services evaluates.
    Scale,
}

/// What is to happen. At one time, what was planned first comes first.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    pub(crate) now: Micros,
    planned: u64,
    events: BinaryHeap<Reverse<(Micros, u64, Event)>>,
}

// === impl Timeline ===

impl Timeline {
    pub(crate) fn after(&mut self, pause: Micros, event: Event) {
        self.planned += 1;
        self.events.push(Reverse((self.now + pause, self.planned, event)));
    }

    pub(crate) fn next(&mut self, until: Micros) -> Option<Event> {
        let Reverse((at, _, _)) = self.events.peek()?;
        if *at > until {
            return None;
        }
        let Reverse((at, _, event)) = self.events.pop()?;
        self.now = at;
        Some(event)
    }
}
