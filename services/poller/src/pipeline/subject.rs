//! One object while the worker is asked about it.

use std::sync::Arc;

use brigade_proto::v1::Settlement;
use brigade_storage::Object;

use crate::{
    attempts::AttemptPolicy, dispatch::Key, instance::Slot, losses::Losses, outcome::Outcome,
    verdict::Retry,
};

/// The object, and what is known of it.
pub(super) struct Subject {
    /// With the metageneration that our own marks gave it.
    pub(super) object: Arc<Object>,
    pub(super) key: Key,
    pub(super) attempts: AttemptPolicy,
    pub(super) losses: Losses,
}

/// What follows an answer.
pub(super) enum Step {
    Done(Box<Outcome>),
    /// Ask again, in this slot.
    Again(Slot),
}

// === impl Subject ===

impl Subject {
    /// The outcome of an object that stays for now.
    pub(super) fn left(&self, retry: &Retry) -> Outcome {
        Outcome::new(&self.object, Settlement::Retry).because(&retry.why)
    }
}

// === impl Step ===

impl Step {
    pub(super) fn done(outcome: Outcome) -> Self {
        Self::Done(Box::new(outcome))
    }
}
