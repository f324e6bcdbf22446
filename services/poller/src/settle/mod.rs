//! Moves an object by its verdict, fenced by its generation, and tells what became of it.

mod copy;
mod look;
mod marking;
mod rename;

use std::{sync::Arc, time::Duration};

use brigade_storage::{Bucket, Error, Location, Object};

use crate::{clock::Clock, destination::candidates, mark};

/// Settles objects of one inbox.
#[derive(Clone, Debug)]
pub struct Settler {
    /// Where objects come from.
    pub inbox: Location,
    /// The inbox's bucket.
    pub source: Arc<dyn Bucket>,
    /// Where accepted objects go.
    pub processed: Location,
    /// Where refused objects go.
    pub failed: Location,
    /// The bucket of the processed location.
    pub processed_bucket: Arc<dyn Bucket>,
    /// The bucket of the failed location.
    pub failed_bucket: Arc<dyn Bucket>,
    /// Dates destinations and marks.
    pub clock: Arc<dyn Clock>,
}

/// What became of an object that was to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It lies at this `gs://` URI now.
    Moved(String),
    /// It was replaced, removed or settled by somebody else meanwhile; nothing was moved.
    Superseded,
    /// This keeps it where it is.
    Held(String),
}

impl Settler {
    /// Moves an accepted object to the processed location: one storage call when both are in one bucket.
    pub async fn processed(&self, object: &Object) -> Result<Placement, Error> {
        self.place(object, &self.processed, &self.processed_bucket)
            .await
    }

    /// Marks a refused object where it lies, then moves it to the failed location.
    ///
    /// A crash in between leaves a marked object, which [`Settler::complete`] moves.
    pub async fn failed(
        &self,
        object: &Object,
        reason: &str,
        attempts: u32,
    ) -> Result<Placement, Error> {
        let mark = mark::failed(object, reason, attempts, self.clock.now());
        match marking::mark(&*self.source, object, &mark).await? {
            Some(marked) => self.complete(&marked).await,
            None => Ok(Placement::Superseded),
        }
    }

    /// Writes the attempts of an object on it, and that it is not due for another `pause`. Whether it is still there.
    pub async fn postponed(
        &self,
        object: &Object,
        reason: &str,
        attempts: u32,
        pause: Duration,
    ) -> Result<bool, Error> {
        let now = self.clock.now();
        let due = now.checked_add(pause).unwrap_or(now);
        let mark = mark::retry(object, reason, attempts, due);
        let marked = marking::mark(&*self.source, object, &mark).await?;
        Ok(marked.is_some())
    }

    /// Moves an object that is already marked as failed to the failed location.
    pub async fn complete(&self, marked: &Object) -> Result<Placement, Error> {
        self.place(marked, &self.failed, &self.failed_bucket).await
    }

    async fn place(
        &self,
        object: &Object,
        to: &Location,
        bucket: &Arc<dyn Bucket>,
    ) -> Result<Placement, Error> {
        let below = self.inbox.below(&object.name);
        let names = candidates(to, below, object.generation, self.clock.now());
        if to.bucket == self.inbox.bucket {
            rename::rename(&*self.source, object, names).await
        } else {
            copy::copy(&*self.source, object, &**bucket, names).await
        }
    }
}

/// What one try at one name came to.
enum Try {
    /// Done with this object.
    Settled(Placement),
    /// Something else lies at that name: try the next one.
    Taken,
}

/// Every candidate name was taken.
fn all_taken(object: &Object, operation: brigade_storage::Operation) -> Error {
    Error::new(
        brigade_storage::Kind::Precondition,
        operation,
        &object.bucket,
        &object.name,
        "every name it could get at its destination is taken; remove some of them",
    )
}

#[cfg(test)]
mod tests;
