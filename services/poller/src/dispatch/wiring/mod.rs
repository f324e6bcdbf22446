//! Whether a cause that may be the wiring is the wiring, or one object.

use std::time::Duration;

use tokio::time::Instant;

use crate::verdict::Cause;

/// A worker that accepted an object so lately is wired well.
const TRUSTED: Duration = Duration::from_mins(10);

/// More causes than this are not remembered at once.
const CAUSES: usize = 64;

/// What a cause points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// Two different objects: the wiring is wrong.
    Wiring,
    /// It is this object: an attempt.
    Object,
    /// Not known yet: asked again a little later, no attempt.
    Unknown,
}

/// What was seen since the last acceptance.
#[derive(Debug, Default)]
pub(crate) struct WiringEvidence {
    accepted: Option<Instant>,
    met: Vec<Met>,
}

/// A cause, and the first object that met it.
#[derive(Debug)]
struct Met {
    cause: Cause,
    /// Its name: a file that is uploaded again is the same one here.
    object: String,
    /// Another object met it too.
    is_wiring: bool,
    /// Since this object met it, all others met other causes of this kind.
    doubt: Doubt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// Nothing was asked about another object.
    No,
    Yes,
    /// It was asked once more for it, which is enough.
    Settled,
}

// === impl WiringEvidence ===

impl WiringEvidence {
    pub(crate) fn met(&mut self, cause: &Cause, object: &(String, i64), now: Instant) -> Suspicion {
        let suspicion = self.record(cause, object);
        let is_trusted =
            self.accepted.is_some_and(|accepted| now.saturating_duration_since(accepted) < TRUSTED);
        if is_trusted { Suspicion::Object } else { suspicion }
    }

    /// The worker accepted an object.
    pub(crate) fn accepted(&mut self, now: Instant) {
        self.accepted = Some(now);
        self.met.clear();
    }

    /// The worker answered something else about an object (refusal, wait): it was asked about another one meanwhile.
    pub(crate) fn answered(&mut self, object: &(String, i64)) {
        for met in self.met.iter_mut().filter(|met| met.object != object.0) {
            met.doubt = Doubt::Settled;
        }
    }

    /// A connection failed: what it accepted before says nothing about the process that runs now.
    pub(crate) fn restarted(&mut self) {
        self.accepted = None;
    }

    /// An object was accepted in this process of the worker, ever.
    pub(crate) fn has_accepted(&self) -> bool {
        self.accepted.is_some()
    }

    fn record(&mut self, cause: &Cause, object: &(String, i64)) -> Suspicion {
        for met in &mut self.met {
            let is_other = met.cause != *cause && met.object != object.0;
            if is_other && met.doubt == Doubt::No {
                met.doubt = Doubt::Yes;
            }
        }
        let Some(met) = self.met.iter_mut().find(|met| met.cause == *cause) else {
            if self.met.len() == CAUSES {
                self.met.remove(0);
            }
            let (cause, object) = (cause.clone(), object.0.clone());
            self.met.push(Met { cause, object, is_wiring: false, doubt: Doubt::No });
            return Suspicion::Unknown;
        };
        met.is_wiring |= met.object != object.0;
        if met.is_wiring {
            Suspicion::Wiring
        } else if met.doubt == Doubt::Yes {
            met.doubt = Doubt::Settled;
            Suspicion::Unknown
        } else {
            Suspicion::Object
        }
    }
}

#[cfg(test)]
mod tests;
