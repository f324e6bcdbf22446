//! Whether calls reach the worker: opens by failures and time, and probes.

use std::time::Duration;

use tokio::time::Instant;

use crate::jitter;

/// Failures so close to the first of them are one event: calls that shared a connection or a process.
const EVENT: Duration = Duration::from_secs(1);

/// It opens only when no call was answered for so long, so that a restart of the worker does not open it.
const SILENCE: Duration = Duration::from_secs(10);

/// The pause before a probe: from the first, doubling, to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A probe that is not reported for so long is lost with its caller: the next caller gets it.
const PROBE_TIME: Duration = Duration::from_secs(15);

/// How soon a caller asks again while another one probes.
const PROBE_POLL: Duration = Duration::from_millis(500);

/// A failure so long ago says nothing of a worker that was not called since.
const MEMORY: Duration = Duration::from_mins(1);

/// One per instance, for all calls of its worker.
#[derive(Debug)]
pub(crate) struct Breaker {
    limit: u32,
    state: State,
    /// The last answer about an object.
    answered: Option<Instant>,
    /// The first failure since then.
    first: Option<Instant>,
    /// Events since the last answer, or since it closed.
    events: u32,
    event_began: Option<Instant>,
    failures: u32,
    failed: Option<Instant>,
    last: String,
    /// How often it opened since the last answer.
    step: u32,
}

/// Whether a call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// Now.
    Go,
    /// Not before; then it asks again.
    Wait(Instant),
    /// The caller is to probe now, and to report it by [`Breaker::probed`].
    Probe,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open { until: Instant },
    Probing { since: Instant },
}

// === impl Breaker ===

impl Breaker {
    /// `limit`: the events that open it.
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            limit: limit.max(1),
            state: State::Closed,
            answered: None,
            first: None,
            events: 0,
            event_began: None,
            failures: 0,
            failed: None,
            last: String::new(),
            step: 0,
        }
    }

    /// The worker itself answered a call about an object.
    pub(crate) fn answered(&mut self, now: Instant) {
        *self = Self { answered: Some(now), ..Self::new(self.limit) };
    }

    /// A call failed between poller and worker. Failures within 1 s of the first of them are one event.
    pub(crate) fn failed(&mut self, now: Instant, why: &str) {
        let is_old = self.failed.is_some_and(|at| now.saturating_duration_since(at) > MEMORY);
        if is_old && matches!(self.state, State::Closed) {
            *self = Self { answered: self.answered, ..Self::new(self.limit) };
        }
        self.failed = Some(now);
        self.failures = self.failures.saturating_add(1);
        why.clone_into(&mut self.last);
        let first = *self.first.get_or_insert(now);
        // Calls that were sent before it opened say nothing new.
        if !matches!(self.state, State::Closed) {
            return;
        }
        if self.event_began.is_none_or(|began| now.saturating_duration_since(began) > EVENT) {
            self.event_began = Some(now);
            self.events += 1;
        }
        let silence = now.saturating_duration_since(self.answered.unwrap_or(first));
        if self.events >= self.limit && silence >= SILENCE {
            self.open(now);
        }
    }

    pub(crate) fn check(&mut self, now: Instant) -> Permission {
        match self.state {
            State::Closed => Permission::Go,
            State::Open { until } if now < until => Permission::Wait(until),
            State::Probing { since } if now < since + PROBE_TIME => {
                Permission::Wait((now + PROBE_POLL).min(since + PROBE_TIME))
            }
            State::Open { .. } | State::Probing { .. } => {
                self.state = State::Probing { since: now };
                Permission::Probe
            }
        }
    }

    /// What a probe found. It closes, but a worker that is reachable and whose calls all fail opens it again after as
    /// many events, for longer.
    pub(crate) fn probed(&mut self, now: Instant, is_reachable: bool) {
        match self.state {
            State::Closed => {}
            _ if is_reachable => {
                self.state = State::Closed;
                self.events = 0;
                self.event_began = None;
            }
            State::Probing { .. } => self.open(now),
            // A late report: the pause goes on.
            State::Open { .. } => {}
        }
    }

    /// Since when no call about an object was answered, while it is open or was opened without an answer since. It begins
    /// with the first failure: before that no call was made.
    pub(crate) fn away_since(&self) -> Option<Instant> {
        self.first.filter(|_| self.step > 0)
    }

    /// All failed calls since the last answer.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// The last failure's words.
    pub(crate) fn last(&self) -> &str {
        &self.last
    }

    fn open(&mut self, now: Instant) {
        let pause = jitter::upper_half(FIRST_PAUSE, 2.0, LONGEST_PAUSE, self.step);
        self.step = self.step.saturating_add(1);
        self.state = State::Open { until: now + pause };
    }
}

#[cfg(test)]
mod tests;
