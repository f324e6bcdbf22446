//! What an instance knows of its worker, and whether a call may be sent now: without waiting.

use std::time::Duration;

use indexmap::IndexMap;
use tokio::time::Instant;

use super::{
    breaker::{Breaker, Permission},
    evidence::{Evidence, Key},
    limit::{Limit, Ticket},
    streak::Streak,
    waits::Waits,
    wiring::WiringEvidence,
};
use crate::{config::Budgets, losses::Losses};

/// Guarded by the dispatcher's lock.
#[derive(Debug)]
pub(super) struct State {
    pub(super) limit: Limit,
    /// The permits that the limit allows, and those that are to be taken back from calls in flight.
    pub(super) given: usize,
    pub(super) debt: usize,
    /// Calls in flight that were not taken yet.
    pub(super) untaken: usize,
    pub(super) breaker: Breaker,
    pub(super) waits: Waits,
    pub(super) wiring: WiringEvidence,
    pub(super) streak: Streak,
    pub(super) evidence: Evidence,
    /// No call is sent before: the worker is busy, or a call failed.
    pub(super) gate: Option<Instant>,
    /// No call is sent before: the worker asked for time for every object.
    pub(super) wish: Option<Instant>,
    /// Losses that could not be written on their objects.
    pub(super) losses: IndexMap<Key, Losses>,
    /// A call failed since the last answer: one call at a time, until one is taken.
    pub(super) is_recovering: bool,
    /// The brake is on.
    pub(super) is_braked: bool,
}

/// How long a call waits for its turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For anything.
    pub(crate) until: Instant,
    /// For a time that the worker asked for.
    pub(crate) gate: Duration,
    /// For a worker that is away.
    pub(crate) away: Duration,
    /// It is not given up before, so that a poll probes it too after an earlier one has given it up.
    pub(crate) not_before: Instant,
}

/// Why a call has no turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoTurn {
    /// Not within its patience. The worker has asked for this much time, if it has.
    Later(Option<Duration>),
    /// The worker does not answer.
    Away { failures: u32, last: String },
    /// The brake is on.
    Braked,
}

/// Whether a call may be sent.
pub(super) enum Next {
    Go(Ticket),
    Wait(Wait),
    Never(NoTurn),
}

/// What to wait for.
pub(super) enum Wait {
    Until(Instant),
    Answer,
    /// The worker's health is to be asked first.
    Probe,
}

// === impl State ===

impl State {
    pub(super) fn new(limit: Limit, budgets: &Budgets) -> Self {
        Self {
            given: limit.current(),
            limit,
            debt: 0,
            untaken: 0,
            breaker: Breaker::new(budgets.breaker),
            waits: Waits::default(),
            wiring: WiringEvidence::default(),
            streak: Streak::new(budgets.max_refusals),
            evidence: Evidence::default(),
            gate: None,
            wish: None,
            losses: IndexMap::new(),
            is_recovering: false,
            is_braked: false,
        }
    }

    /// Whether a call may be sent.
    pub(super) fn next(&mut self, now: Instant, patience: Patience) -> Next {
        if self.is_braked {
            return Next::Never(NoTurn::Braked);
        }
        match self.breaker.check(now) {
            Permission::Go => {}
            Permission::Probe => return Next::Wait(Wait::Probe),
            Permission::Wait(at) => {
                let end = self.breaker.away_since().unwrap_or(now) + patience.away;
                let end = end.max(patience.not_before);
                if now < end {
                    return Next::Wait(Wait::Until(at.min(end)));
                }
                let (failures, last) = (self.breaker.failures(), self.breaker.last().to_owned());
                return Next::Never(NoTurn::Away { failures, last });
            }
        }
        if let Some(gate) = self.gate.max(self.wish)
            && gate > now
        {
            let is_too_long = gate - now > patience.gate || gate > patience.until;
            return if is_too_long {
                Next::Never(NoTurn::Later(Some(gate - now)))
            } else {
                Next::Wait(Wait::Until(gate))
            };
        }
        let is_one_at_a_time = self.is_recovering || self.waits.is_worker_wide();
        let most = self.streak.allowance().unwrap_or(usize::MAX);
        if self.limit.in_flight() >= most || (is_one_at_a_time && self.untaken > 0) {
            return Next::Wait(Wait::Answer);
        }
        self.untaken += 1;
        Next::Go(self.limit.sent())
    }
}
