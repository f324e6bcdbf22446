//! Faults on request: what the next calls meet.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::StatusCode;

pub use crate::storage::HitCount;

/// What the next calls of a front end meet.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    effect: Effect,
    times: u64,
}

/// What happens to one call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effect {
    /// A page, and the container hears nothing of it.
    Page(StatusCode),
    /// The container answers, and the answer breaks off before its trailers.
    Cut,
    /// The call is passed on after a while.
    Delay(Duration),
}

/// Faults that wait for calls.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<VecDeque<(Fault, HitCount)>>);

// === impl Fault ===

impl Fault {
    /// The call is answered with a page of this status, and not passed on.
    pub fn page(status: StatusCode) -> Self {
        Self::once(Effect::Page(status))
    }

    /// The call is passed on, and its answer breaks off before its trailers: its status is lost, not its messages.
    pub fn cut() -> Self {
        Self::once(Effect::Cut)
    }

    /// The call is passed on after so long.
    pub fn delay(by: Duration) -> Self {
        Self::once(Effect::Delay(by))
    }

    /// For so many calls instead of one.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    fn once(effect: Effect) -> Self {
        Self { effect, times: 1 }
    }
}

// === impl Faults ===

impl Faults {
    pub(super) fn arm(&self, fault: Fault) -> HitCount {
        let met = HitCount::default();
        self.lock().push_back((fault, met.clone()));
        met
    }

    /// What this call meets. Faults are met one after another.
    pub(super) fn meet(&self) -> Option<Effect> {
        let mut waiting = self.lock();
        while let Some((fault, met)) = waiting.front_mut() {
            if fault.times > 0 {
                fault.times -= 1;
                met.add();
                return Some(fault.effect);
            }
            waiting.pop_front();
        }
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(Fault, HitCount)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
