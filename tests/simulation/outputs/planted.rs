//! The bugs that a worker could have. They stand at the storage, as those of the poller do.

use brigade_sim::Sim;
use brigade_storage::{Bucket, Error, Kind, Object, Operation, Result, provenance};

use crate::{
    heard::Key,
    people::BUCKET,
    planted::{Bug, Planted},
};

// === impl Planted ===

impl Planted {
    /// The bug, if it is a worker's.
    pub(crate) fn of_worker(self) -> Self {
        Self(self.0.filter(|bug| {
            matches!(
                bug,
                Bug::ReplacesWhateverIsThere | Bug::WritesAfterSuperseded | Bug::LeavesOutputs
            )
        }))
    }

    /// What a worker that works on `key` sees at a name.
    pub(crate) async fn look(
        self,
        sim: &Sim,
        bucket: &dyn Bucket,
        key: &Key,
        name: &str,
    ) -> Result<Object> {
        let found = bucket.get(name).await;
        if self.is(Bug::WritesAfterSuperseded) && *name == key.0 {
            let mut others = sim.objects(BUCKET);
            let known = found.ok().or_else(|| others.pop());
            return known
                .map(|known| Object { name: name.to_owned(), generation: key.1, ..known })
                .ok_or_else(|| Error::new(Kind::NotFound, Operation::Get, BUCKET, name, "none"));
        }
        let found = found?;
        let origin = provenance::origin(&found.metadata);
        let is_own = origin.is_some_and(|origin| origin.name == key.0) || *name == key.0;
        if self.is(Bug::ReplacesWhateverIsThere) && !is_own {
            let why = "a planted bug";
            return Err(Error::new(Kind::NotFound, Operation::Get, bucket.name(), name, why));
        }
        Ok(found)
    }

    /// The generation that a worker's output replaces.
    pub(crate) fn replaces(self, sim: &Sim, bucket: &str, name: &str, meant: i64) -> i64 {
        if !self.is(Bug::ReplacesWhateverIsThere) {
            return meant;
        }
        let live = sim.objects(bucket).into_iter().find(|live| live.name == name);
        live.map_or(0, |live| live.generation)
    }
}
