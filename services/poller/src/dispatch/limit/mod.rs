//! How many calls the worker gets at once: what its answers say that it takes.

use std::time::Duration;

use crate::jitter;

/// Where it starts: few enough for a small worker, enough that a large one is soon found.
const START: usize = 8;

/// The pause after a worker with no call of ours was too busy: from the first, doubling, to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Tries of one more call that the worker took in a row, after which they come as often as at first, and after which the
/// limit grows with each call again.
const HELD_RESETS: u32 = 2;
const HELD_GROWS: u32 = 4;

/// How many calls the worker gets at once: follows its answers between 1 and `max`.
///
/// It grows by one with each call that is taken until the worker is busy for the first time. Then it is what the worker
/// took, and one more is tried now and then: the oftener it holds, the sooner.
#[derive(Debug)]
pub(crate) struct Limit {
    max: usize,
    current: usize,
    in_flight: usize,
    /// Calls that ended otherwise than by a worker that was too busy.
    finished: u64,
    growth: Growth,
    /// Raised by each cut. The calls of an earlier one were in flight at the last cut.
    epoch: u64,
    /// Of the calls that were in flight at the last cut, how many the worker can have taken at most.
    taken: usize,
    /// Answers in a row of a worker that had no call of ours and was too busy.
    alone: u32,
}

/// The epoch in which a call was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    epoch: u64,
    finished: u64,
}

#[derive(Debug)]
enum Growth {
    /// By one with each call that is taken.
    Fast,
    /// By one after `every` calls that were taken.
    Slow {
        every: usize,
        taken: usize,
        /// The last change was a try of one more.
        is_trying: bool,
        /// Tries in a row that the worker took.
        held: u32,
    },
}

// === impl Limit ===

impl Limit {
    pub(crate) fn new(max: usize) -> Self {
        let max = max.max(1);
        Self {
            max,
            current: max.min(START),
            in_flight: 0,
            finished: 0,
            growth: Growth::Fast,
            epoch: 0,
            taken: 0,
            alone: 0,
        }
    }

    pub(crate) fn current(&self) -> usize {
        self.current
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(crate) fn sent(&mut self) -> Ticket {
        self.in_flight += 1;
        Ticket { epoch: self.epoch, finished: self.finished }
    }

    /// The worker took the call: it answered about the object, or the call goes on for a while. Once a call; before
    /// [`Limit::ended`].
    pub(crate) fn accepted(&mut self, _ticket: Ticket) {
        self.alone = 0;
        let is_used = self.in_flight * 5 >= self.current * 4;
        if is_used && self.current < self.max && self.growth.grows(self.current) {
            self.current += 1;
        }
    }

    /// Every call, once.
    pub(crate) fn ended(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.finished += 1;
    }

    /// The worker was too busy to look at the object. After [`Limit::ended`]. The pause for all calls when nothing is in
    /// flight.
    pub(crate) fn busy(&mut self, ticket: Ticket) -> Option<Duration> {
        self.finished = self.finished.saturating_sub(1);
        if ticket.epoch == self.epoch {
            // What ended meanwhile was taken too, beside this call.
            let meanwhile = self.finished.saturating_sub(ticket.finished);
            let meanwhile = usize::try_from(meanwhile).unwrap_or(usize::MAX);
            self.cut(self.in_flight.saturating_add(meanwhile).min(self.current - 1));
        } else {
            // One fewer of those in flight at the cut, however many have ended since.
            self.taken = self.taken.saturating_sub(1);
        }
        self.current = self.current.min(self.taken).max(1);
        self.growth.missed(self.current);
        if self.in_flight > 0 {
            return None;
        }
        let pause = jitter::full(FIRST_PAUSE, 2.0, LONGEST_PAUSE, self.alone);
        self.alone = self.alone.saturating_add(1);
        Some(pause)
    }

    /// A call was lost or ran out of time: halves once for all calls sent before the cut. After [`Limit::ended`].
    pub(crate) fn halve(&mut self, ticket: Ticket) {
        if ticket.epoch == self.epoch {
            self.cut(self.in_flight);
            self.current = (self.current / 2).max(1);
            self.growth = Growth::slow(self.current);
        }
    }

    fn cut(&mut self, taken: usize) {
        self.taken = taken;
        self.epoch += 1;
    }
}

// === impl Growth ===

impl Growth {
    fn slow(limit: usize) -> Self {
        Self::Slow { every: often(limit), taken: 0, is_trying: false, held: 0 }
    }

    /// The worker took one more call. Whether `limit` is to grow by one.
    fn grows(&mut self, limit: usize) -> bool {
        let Self::Slow { every, taken, is_trying, held } = self else {
            return true;
        };
        *taken += 1;
        if *taken < *every {
            return false;
        }
        *taken = 0;
        *held += u32::from(*is_trying);
        *is_trying = true;
        if *held >= HELD_RESETS {
            *every = often(limit);
        }
        if *held >= HELD_GROWS {
            *self = Self::Fast;
        }
        true
    }

    /// The worker was too busy, and `limit` is what it took. A try that fails makes the next one later.
    fn missed(&mut self, limit: usize) {
        let Self::Slow { every, is_trying, .. } = *self else {
            *self = Self::slow(limit);
            return;
        };
        let every = if is_trying { every * 2 } else { every };
        let every = every.min((4 * limit).max(16));
        *self = Self::Slow { every, taken: 0, is_trying: false, held: 0 };
    }
}

/// After how many calls one more is tried.
fn often(limit: usize) -> usize {
    (2 * limit).max(10)
}

#[cfg(test)]
mod tests;
