//! Faults on request: what the next calls of an operation meet.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::operation::Operation;
use brigade_model::{Kind, Refusal};

/// What the next calls of an operation meet.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(crate) effect: Effect,
    times: u64,
}

/// What happens to one call.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    /// It is refused and not applied.
    Before(Refusal),
    /// It is applied, and the answer is an error all the same.
    After(Refusal),
    /// It is applied after a while.
    Delay(Duration),
    /// The connection is reset; the call was applied or not.
    Reset {
        /// Whether it was.
        applied: bool,
    },
    /// It is applied, and the answer breaks off after its head and half of its first piece.
    Cut,
}

/// How many calls have met a fault.
#[derive(Clone, Debug, Default)]
pub struct HitCount(Arc<AtomicU64>);

/// Faults that wait for calls.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<HashMap<Operation, VecDeque<Armed>>>);

#[derive(Debug)]
struct Armed {
    fault: Fault,
    met: HitCount,
}

// === impl Fault ===

impl Fault {
    /// The call is refused with this status, and not applied.
    pub fn before(kind: Kind) -> Self {
        Self::once(Effect::Before(injected(kind)))
    }

    /// The call is applied, and answered with this status all the same: the answer is lost.
    pub fn after(kind: Kind) -> Self {
        Self::once(Effect::After(injected(kind)))
    }

    /// The call is held back for so long, then applied and answered.
    pub fn delay(by: Duration) -> Self {
        Self::once(Effect::Delay(by))
    }

    /// The call's connection is reset, with all other calls on it; this one is not applied.
    pub fn reset_before() -> Self {
        Self::once(Effect::Reset { applied: false })
    }

    /// The call is applied, then its connection is reset, with all other calls on it.
    pub fn reset_after() -> Self {
        Self::once(Effect::Reset { applied: true })
    }

    /// The call is applied, and its answer breaks off: after half of the first piece of a download, or before the
    /// message of a gRPC answer is whole.
    pub fn cut() -> Self {
        Self::once(Effect::Cut)
    }

    /// For so many calls instead of one.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Asks the caller to wait so long: `Retry-After` in HTTP, `RetryInfo` in gRPC.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        if let Effect::Before(refusal) | Effect::After(refusal) = &mut self.effect {
            refusal.retry_after = Some(delay);
        }
        self
    }

    fn once(effect: Effect) -> Self {
        Self { effect, times: 1 }
    }
}

/// With the service's own message where callers read it.
pub(super) fn injected(kind: Kind) -> Refusal {
    match kind {
        Kind::NoBucket => Refusal::no_bucket(),
        Kind::Precondition => Refusal::precondition(),
        _ => Refusal::new(kind, format!("injected fault: {kind:?}")),
    }
}

// === impl HitCount ===

impl HitCount {
    /// So many calls have met the fault.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

// === impl Faults ===

impl Faults {
    pub(crate) fn arm(&self, operation: Operation, fault: Fault) -> HitCount {
        let met = HitCount::default();
        let armed = Armed { fault, met: met.clone() };
        self.lock().entry(operation).or_default().push_back(armed);
        met
    }

    /// What this call meets.
    pub(crate) fn meet(&self, operation: Operation) -> Option<Effect> {
        let mut waiting = self.lock();
        let queue = waiting.get_mut(&operation)?;
        while let Some(armed) = queue.front_mut() {
            if armed.fault.times == 0 {
                queue.pop_front();
                continue;
            }
            armed.fault.times -= 1;
            armed.met.add();
            return Some(armed.fault.effect.clone());
        }
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Operation, VecDeque<Armed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_met_in_order_and_as_often_as_injected() {
        let faults = Faults::default();
        let first = faults.arm(Operation::Get, Fault::before(Kind::Unavailable).times(2));
        let second = faults.arm(Operation::Get, Fault::cut());
        let none = faults.arm(Operation::Move, Fault::cut().times(0));
        for _ in 0..2 {
            assert!(matches!(faults.meet(Operation::Get), Some(Effect::Before(_))));
        }
        assert!(matches!(faults.meet(Operation::Get), Some(Effect::Cut)));
        assert!(faults.meet(Operation::Get).is_none());
        assert!(faults.meet(Operation::Move).is_none());
        assert_eq!((first.count(), second.count(), none.count()), (2, 1, 0));
    }
}
