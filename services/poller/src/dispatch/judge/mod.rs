//! Whose fault it is: an answer about one object, in the light of what the worker answered about others.

use std::time::Duration;

use brigade_proto::v1::ProcessResponse;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    dispatcher::{Dispatcher, Turn},
    evidence::{Call, Key},
    limit::Ticket,
    state::State,
    streak::Reason,
    wiring::Suspicion,
};
use crate::{
    jitter,
    losses::{Loss, Losses},
    verdict::{Blame, Doubt, Refusal, Retry, Stop, Verdict},
};

/// Losses of objects that could not be written on them, at most.
const REMEMBERED: usize = 1_000;

/// The pauses of all calls after a failed one.
const MIN_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// A full worker is asked again after this, however much more time it names.
const MAX_WISH: Duration = Duration::from_mins(10);

/// The object that was asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) object: &'a Key,
    pub(crate) bucket: &'a str,
    /// That were counted before.
    pub(crate) attempts: u32,
    pub(crate) losses: &'a Losses,
    /// The worker answered a health check just before.
    pub(crate) was_healthy: bool,
    /// How long the call lasted.
    pub(crate) took: Duration,
    pub(crate) now: Timestamp,
}

/// What becomes of the object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ruling {
    Processed(ProcessResponse),
    Failed(String),
    Retry(Retry),
    /// The call was lost: all losses of the object, and the error.
    Lost(Losses, String),
    Stop(Stop),
}

/// What becomes of the brake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BrakeChange {
    None,
    /// An object was accepted.
    Lift,
    PutOn {
        reasons: Vec<Reason>,
        prefixes: Vec<String>,
    },
}

// === impl Dispatcher ===

impl Dispatcher {
    /// Judges the answer of the call that had this turn.
    pub(crate) fn judge(
        &self,
        mut turn: Turn<'_>,
        asked: Asked<'_>,
        verdict: Verdict,
    ) -> (Ruling, BrakeChange) {
        let (ticket, is_alone) = (turn.ticket, turn.is_alone());
        if is_taken(&verdict) {
            turn.take(&mut self.state());
        }
        drop(turn);
        let mut state = self.state();
        let now = Instant::now();
        if is_answered(&verdict) {
            state.breaker.answered(now);
            state.is_recovering = false;
            state.evidence.answered(asked.now);
        }
        let judged = match verdict {
            Verdict::Processed(response) => {
                state.accepted(now, asked);
                (Ruling::Processed(response), BrakeChange::Lift)
            }
            Verdict::Failed(refusal) => state.refused(now, asked, refusal),
            Verdict::Doubtful(doubt) => (state.doubted(now, asked, doubt), BrakeChange::None),
            Verdict::Stop(stop) => (Ruling::Stop(stop), BrakeChange::None),
            Verdict::Retry(retry) => {
                (state.retried(now, asked, ticket, is_alone, retry), BrakeChange::None)
            }
        };
        self.update(state);
        judged
    }

    /// The losses that this instance remembers, because they could not be written on the object.
    pub(crate) fn remembered_losses(&self, object: &Key) -> Option<Losses> {
        self.state().losses.get(object).cloned()
    }

    pub(crate) fn remember_losses(&self, object: &Key, losses: Losses) {
        let mut state = self.state();
        state.losses.insert(object.clone(), losses);
        if state.losses.len() > REMEMBERED {
            state.losses.shift_remove_index(0);
        }
    }
}

/// Whether the worker looked at the object.
fn is_taken(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Processed(_) | Verdict::Failed(_) => true,
        Verdict::Retry(retry) => {
            matches!(retry.blame, Blame::Worker | Blame::Storage | Blame::Deadline)
        }
        Verdict::Doubtful(_) | Verdict::Stop(_) => false,
    }
}

/// Whether the worker, or what stands before it, is there.
fn is_answered(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Processed(_) | Verdict::Failed(_) | Verdict::Doubtful(_) => true,
        Verdict::Retry(retry) => {
            matches!(retry.blame, Blame::Worker | Blame::Storage | Blame::Busy)
        }
        Verdict::Stop(_) => false,
    }
}

// === impl State ===

impl State {
    fn accepted(&mut self, now: Instant, asked: Asked<'_>) {
        self.evidence.accepted(asked.now);
        self.wiring.accepted(now);
        self.waits.accepted();
        self.streak.accepted();
        self.losses.shift_remove(asked.object);
        self.wish = None;
    }

    fn refused(
        &mut self,
        now: Instant,
        asked: Asked<'_>,
        refusal: Refusal,
    ) -> (Ruling, BrakeChange) {
        let Refusal { reason, is_deliberate, doubt } = refusal;
        if let Some(doubt) = doubt
            && !self.wiring.has_accepted()
        {
            match self.wiring.met(&doubt.cause, asked.object, now) {
                Suspicion::Wiring => return (Ruling::Stop(doubt.stop), BrakeChange::None),
                Suspicion::Unknown => {
                    let retry = Retry { after: None, blame: Blame::EarlyDoubt, why: reason };
                    return (Ruling::Retry(retry), BrakeChange::None);
                }
                Suspicion::Object => {}
            }
        } else {
            self.wiring.answered(asked.object);
        }
        if self.is_braked && !is_deliberate {
            // Its call was in flight when the brake went on, and the answer costs no file.
            let retry = Retry { after: None, blame: Blame::Poll, why: reason };
            return (Ruling::Retry(retry), BrakeChange::None);
        }
        let uri = format!("gs://{}/{}", asked.bucket, asked.object.0);
        let is_tripped = !is_deliberate && self.streak.refused(asked.object, &uri, &reason);
        let brake = if is_tripped {
            self.is_braked = true;
            let (reasons, prefixes) = (self.streak.reasons(), self.streak.prefixes());
            BrakeChange::PutOn { reasons, prefixes }
        } else {
            BrakeChange::None
        };
        (Ruling::Failed(reason), brake)
    }

    /// An answer that is about the wiring, or about this object.
    fn doubted(&mut self, now: Instant, asked: Asked<'_>, doubt: Doubt) -> Ruling {
        let blame = match self.wiring.met(&doubt.cause, asked.object, now) {
            Suspicion::Wiring => return Ruling::Stop(doubt.stop),
            Suspicion::Unknown => Blame::EarlyDoubt,
            Suspicion::Object => Blame::Doubt,
        };
        Ruling::Retry(Retry { after: None, blame, why: doubt.stop.to_string() })
    }

    fn retried(
        &mut self,
        now: Instant,
        asked: Asked<'_>,
        ticket: Ticket,
        is_alone: bool,
        mut retry: Retry,
    ) -> Ruling {
        match retry.blame {
            Blame::Worker | Blame::Storage => {
                self.wiring.answered(asked.object);
                if self.waits.asked(asked.object, asked.attempts == 0, retry.after) {
                    // Calls that were sent before a pause began say nothing new.
                    if self.wish.is_none_or(|wish| wish <= now)
                        && let Some(pause) = self.waits.pause()
                    {
                        self.wish = Some(now + pause);
                    }
                    retry.blame = Blame::WorkerWide;
                }
            }
            Blame::Transport => {
                if self.limit.in_flight() == 0 {
                    self.evidence.lost_idle(asked.now);
                }
                self.failed(now, &retry.why);
            }
            Blame::Busy => {
                let pause = self.limit.busy(ticket);
                let wish = retry.after.map(|wish| jitter::above(wish.min(MAX_WISH)));
                self.close_gate(now, wish.or(pause).unwrap_or_default());
            }
            Blame::Lost => {
                self.limit.halve(ticket);
                self.failed(now, &retry.why);
                let call = Call {
                    object: asked.object,
                    losses: asked.losses,
                    is_alone,
                    was_healthy: asked.was_healthy,
                    now: asked.now,
                };
                let how = self.evidence.lost(call);
                let mut losses = asked.losses.clone();
                losses.push(Loss { at: asked.now, after: asked.took, how });
                return Ruling::Lost(losses, retry.why);
            }
            Blame::WorkerWide
            | Blame::Deadline
            | Blame::Doubt
            | Blame::EarlyDoubt
            | Blame::Poll => {}
        }
        Ruling::Retry(retry)
    }

    /// A call failed between poller and worker: the next ones wait, and go one at a time until one is taken.
    fn failed(&mut self, now: Instant, why: &str) {
        self.breaker.failed(now, why);
        self.wiring.restarted();
        self.is_recovering = true;
        let step = self.breaker.failures().min(10);
        self.close_gate(now, jitter::full(MIN_PAUSE, 2.0, MAX_PAUSE, step));
    }

    fn close_gate(&mut self, now: Instant, pause: Duration) {
        self.gate = self.gate.max(Some(now + pause));
    }
}

#[cfg(test)]
mod tests;
