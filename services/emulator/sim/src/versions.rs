//! Object versioning, on request: what is replaced, deleted or moved away stays as a noncurrent version.
//!
//! A delete with a precondition, as [`Bucket::delete`](brigade_storage::Bucket::delete) is, makes the live object noncurrent. A
//! delete with the `generation` parameter removes that version for good, live or not (docs: "Object Versioning").
//! That a move leaves one too is read from the documentation of deletions; it was not tried on the real service.

use super::{
    Actor, Sim,
    history::Change,
    state::{Request, State, Stored, check_held, place_of},
};
use brigade_storage::{
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
            by: Actor::Port,
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

#[cfg(test)]
mod tests {
    use super::*;
    use brigade_storage::Store as _;

    fn generations(objects: &[Object]) -> Vec<i64> {
        objects.iter().map(|object| object.generation).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_keeps_versions_only_when_it_is_asked_to() {
        for (sim, kept) in [
            (Sim::new().with_bucket("b"), 0),
            (Sim::new().with_versioned_bucket("b"), 3),
        ] {
            sim.upload("b", "a", "1").unwrap();
            sim.upload("b", "a", "2").unwrap();
            sim.remove("b", "a").unwrap();
            let moved = sim.upload("b", "a", "3").unwrap();
            let bucket = sim.bucket("b");
            bucket
                .rename(moved.pinned(), moved.metageneration, "z")
                .await
                .unwrap();
            assert_eq!(sim.noncurrent("b").len(), kept);
            assert_eq!(sim.objects("b").len(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_of_metadata_leaves_no_version() {
        let sim = Sim::new().with_versioned_bucket("b");
        sim.upload("b", "a", "1").unwrap();
        sim.annotate("b", "a", "k", "v").unwrap();
        assert_eq!(sim.noncurrent("b"), []);
    }

    #[tokio::test(start_paused = true)]
    async fn erasing_takes_exactly_one_version_live_or_not() {
        let sim = Sim::new().with_versioned_bucket("b");
        let first = sim.upload("b", "a", "1").unwrap().generation;
        let second = sim.upload("b", "a", "2").unwrap().generation;
        let third = sim.upload("b", "a", "3").unwrap().generation;
        sim.erase("b", "a", first).unwrap();
        assert_eq!(generations(&sim.noncurrent("b")), [second]);
        sim.erase("b", "a", third).unwrap();
        assert_eq!(generations(&sim.noncurrent("b")), [second]);
        assert_eq!(sim.objects("b"), []);
        assert!(sim.erase("b", "a", third).unwrap_err().is_not_found());
    }

    #[tokio::test(start_paused = true)]
    async fn a_held_version_is_not_erased() {
        let sim = Sim::new().with_versioned_bucket("b");
        let held = sim.upload("b", "a", "1").unwrap().generation;
        sim.set_temporary_hold("b", "a", true).unwrap();
        assert!(sim.erase("b", "a", held).unwrap_err().is_held());
        assert_eq!(sim.objects("b").len(), 1);
    }
}
