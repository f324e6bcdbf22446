//! Object versioning, on request: what is replaced, deleted or moved away stays as a noncurrent version.
//!
//! A delete with a precondition, as [`Bucket::delete`](crate::Bucket::delete) is, makes the live object noncurrent. A
//! delete with the `generation` parameter removes that version for good, live or not (docs: "Object Versioning").
//! That a move leaves one too is read from the documentation of deletions; it was not tried on the real service.

use super::{
    By, Sim,
    history::Change,
    state::{Request, State, Stored, check_held, place_of},
};
use crate::{
    Object, Operation,
    error::{Kind, Result},
};

impl Sim {
    /// Adds a bucket, or takes the one that is there, and keeps noncurrent versions in it from now on.
    #[must_use]
    pub fn with_versioned_bucket(self, name: &str) -> Self {
        let mut state = self.inner.state();
        state.add_bucket(name);
        state.versioned.insert(name.to_owned());
        drop(state);
        self
    }

    /// The noncurrent versions in a bucket, in order of name and generation, without a call.
    pub fn noncurrent(&self, bucket: &str) -> Vec<Object> {
        let state = self.inner.state();
        let kept = state.noncurrent.values();
        kept.filter(|kept| kept.object.bucket == bucket)
            .map(|kept| kept.object.clone())
            .collect()
    }

    /// What a delete with the `generation` parameter does: removes exactly this version for good. The port has no such
    /// call; this one stands for code that made it all the same.
    ///
    /// # Errors
    /// When there is no such version, or it is held.
    pub fn erase(&self, bucket: &str, name: &str, generation: i64) -> Result<()> {
        let request = Request {
            operation: Operation::Delete,
            bucket,
            name,
            by: By::Port,
            now: self.inner.clock.now(),
        };
        self.inner.state().erase(request, generation)
    }
}

// === impl State ===

impl State {
    /// A version that is not live any more.
    pub(super) fn retire(&mut self, stored: Stored) {
        if self.versioned.contains(&stored.object.bucket) {
            self.noncurrent.insert(place_of(&stored.object), stored);
        }
    }

    /// Exactly this version, live or noncurrent.
    pub(super) fn version(&self, request: Request<'_>, generation: i64) -> Result<&Stored> {
        match self.get(request) {
            Ok(live) if live.object.generation == generation => Ok(live),
            live => match self.noncurrent.get(&request.place(generation)) {
                Some(kept) => Ok(kept),
                None => live.and_then(|_| {
                    Err(request.failed(Kind::NotFound, "that generation is not live any more"))
                }),
            },
        }
    }

    fn erase(&mut self, request: Request<'_>, generation: i64) -> Result<()> {
        check_held(request, &self.version(request, generation)?.object)?;
        let place = request.place(generation);
        if self.noncurrent.remove(&place).is_none()
            && let Some(bucket) = self.buckets.get_mut(request.bucket)
        {
            bucket.remove(request.name);
        }
        self.record(request, place, Change::Erased);
        Ok(())
    }
}
