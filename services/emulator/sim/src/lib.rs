//! Cloud Storage in memory, for tests and simulations: the same preconditions, faults on demand, and a history.
//!
//! A [`Sim`] is deterministic. It reads no system clock, takes no random numbers but those of a seed it was given,
//! and keeps everything in order. Versioning is off by default, and soft delete always, as they would hide a lost
//! object.
//! Every call yields to other tasks before it is applied and again before its answer arrives, as calls over a network
//! do, so a test can stop a caller between the two.
//!
//! ```
//! use brigade_sim::{Fault, Sim};
//! use brigade_storage::{NewObject, Operation, Store};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let sim = Sim::new().with_bucket("b");
//! let bucket = sim.bucket("b");
//! let object = bucket.create("in/a", 0, NewObject::default()).await.unwrap();
//!
//! sim.fail_next(Operation::Move, Fault::AppliedThenLost);
//! let error = bucket.rename(object.pinned(), object.metageneration, "out/a").await.unwrap_err();
//! assert!(error.is_ambiguous());
//! assert!(bucket.get("out/a").await.is_ok());
//! # });
//! ```

mod bucket;
mod clock;
mod convert;
mod external_changes;
mod fault;
mod history;
mod state;
mod synthetic;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use brigade_model::Model;
use bytes::Bytes;

pub use clock::TokioClock;
pub use fault::{Call, Fault, FaultPlan, Injected, SeededFaults};
pub use history::{Actor, Change, Mutation, Place, UploadOutcome};
pub use synthetic::Synthetic;

use brigade_storage::{Bucket, Object, Operation, Store};
use fault::Faults;
use state::State;

/// A Cloud Storage in memory. Clones share it.
#[derive(Clone)]
pub struct Sim {
    inner: Arc<Inner>,
    by: Actor,
}

struct Inner {
    clock: TokioClock,
    state: Mutex<State>,
    faults: Mutex<Faults>,
}

// === impl Sim ===

impl Sim {
    /// An empty one, whose clock runs with tokio's, from [`TokioClock::START`].
    pub fn new() -> Self {
        let clock = TokioClock::new();
        let model = Model::new(brigade_model::Clock::new(move || clock.now()));
        Self {
            inner: Arc::new(Inner {
                clock,
                state: Mutex::new(State::new(model)),
                faults: Mutex::default(),
            }),
            by: Actor::Port,
        }
    }

    /// The same storage, whose history names this caller in place of [`Actor::Port`].
    #[must_use]
    pub fn called_by(&self, caller: u32) -> Self {
        Self { by: Actor::Caller(caller), ..self.clone() }
    }

    /// Adds a bucket; one that is there stays as it is.
    #[must_use]
    pub fn with_bucket(self, name: &str) -> Self {
        self.inner.state().add_bucket(name);
        self
    }

    /// Adds a bucket, or takes the one that is there, and keeps noncurrent versions in it from now on.
    #[must_use]
    pub fn with_versioned_bucket(self, name: &str) -> Self {
        let mut state = self.inner.state();
        state.add_bucket(name);
        if let Ok(bucket) = state.model.bucket(name) {
            // A bucket in memory can keep versions.
            let _ = bucket.keep_versions();
        }
        drop(state);
        self
    }

    /// Lets one step of a copy carry at most this many bytes, so that larger objects need several.
    #[must_use]
    pub fn with_rewrite_step(self, bytes: u64) -> Self {
        self.inner.state().model.rewrite_step = bytes.max(1);
        self
    }

    /// Injects `fault` into the next call of `operation` that has none yet.
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        self.inner.faults().next(operation, fault);
    }

    /// Injects `fault` into the `number`th call of `operation`, counted from 1 since the beginning.
    pub fn fail_nth(&self, operation: Operation, number: u64, fault: Fault) {
        self.inner.faults().nth(operation, number, fault);
    }

    /// Asks `plan` about every call for which no fault was named; replaces the plan before.
    pub fn set_faults(&self, plan: impl FaultPlan + 'static) {
        self.inner.faults().plan = Some(Box::new(plan));
    }

    /// Injects no more faults.
    pub fn clear_faults(&self) {
        self.inner.faults().clear();
    }

    /// How many calls of `operation` began.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.inner.faults().calls(operation)
    }

    /// How many faults of each kind were injected.
    pub fn injected(&self) -> Injected {
        self.inner.faults().injected
    }

    /// Everything that was changed, in order, whether the caller heard of it or not.
    pub fn history(&self) -> Vec<Mutation> {
        self.inner.state().history.clone()
    }

    /// What became of each generation that was ever uploaded, in order of upload.
    pub fn fates(&self) -> Vec<UploadOutcome> {
        history::fates(&self.inner.state().history)
    }

    /// The live objects of a bucket in name order, without a call.
    pub fn objects(&self, bucket: &str) -> Vec<Object> {
        self.inner.state().objects(bucket)
    }

    /// The noncurrent versions in a bucket, in order of name and generation, without a call.
    pub fn noncurrent(&self, bucket: &str) -> Vec<Object> {
        self.inner.state().noncurrent(bucket)
    }

    /// The content of a live object, without a call.
    pub fn content(&self, bucket: &str, name: &str) -> Option<Bytes> {
        self.inner.state().content(bucket, name)
    }

    /// The clock that stamps objects.
    pub fn clock(&self) -> TokioClock {
        self.inner.clock
    }
}

impl Default for Sim {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for Sim {
    fn bucket(&self, name: &str) -> Arc<dyn Bucket> {
        Arc::new(bucket::SimBucket::new(Arc::clone(&self.inner), name, self.by))
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("state", &*self.inner.state()).finish_non_exhaustive()
    }
}

// === impl Inner ===

impl Inner {
    /// Held for one synchronous step only. A panic in such a step leaves nothing half done, so poison is no news.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
