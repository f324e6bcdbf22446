//! Moves an object by its verdict, fenced by its generation, and tells what became of it.

mod copy;
mod look;
mod marking;
mod rename;

use std::{sync::Arc, time::Duration};

use brigade_storage::{Bucket, Error, Kind, Location, Metadata, Object};

use crate::{
    clock::Clock,
    destination::{candidates, may_be_cut},
    mark::{self, Fixed},
};

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
    /// Moves an accepted object to the processed location: one storage call when everything lies in one bucket.
    ///
    /// Else the verdict is written on the object first, as that of a refused one is: a copy and a deletion are two
    /// steps, and two pollers of different minds would leave two copies. So is that of an object whose name is too long
    /// to be whole at its destination: the mark keeps it.
    pub async fn processed(&self, object: &Object) -> Result<Placement, Error> {
        let now = self.clock.now();
        let below = self.inbox.below(&object.name);
        if self.is_one_bucket() && !may_be_cut(&self.processed, below, object.generation, now) {
            return self
                .place(object, &self.processed, &self.processed_bucket)
                .await;
        }
        let mark = mark::processed(object, now);
        let to = (&self.processed, &self.processed_bucket);
        self.fix(object, &mark, to).await
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
        let to = (&self.failed, &self.failed_bucket);
        self.fix(object, &mark, to).await
    }

    /// Writes a verdict on an object, and moves it by that, unless another verdict was there before.
    ///
    /// An object whose own metadata leaves no room for the mark is moved without it where one step is enough.
    async fn fix(
        &self,
        object: &Object,
        mark: &Metadata,
        (to, bucket): (&Location, &Arc<dyn Bucket>),
    ) -> Result<Placement, Error> {
        let marked = marking::mark(&*self.source, object, mark).await;
        if let Err(error) = &marked
            && *error.kind() == Kind::Invalid
            && self.is_one_bucket()
            && !mark::has_room(object, mark)
        {
            tracing::warn!(%error, "the verdict could not be written on its object, which is moved without it");
            return self.place(object, to, bucket).await;
        }
        match marked? {
            Some(marked) if marked.metadata.get(mark::STATUS) == mark.get(mark::STATUS) => {
                self.complete(&marked).await
            }
            Some(_) | None => Ok(Placement::Superseded),
        }
    }

    fn is_one_bucket(&self) -> bool {
        let inbox = &self.inbox.bucket;
        self.processed.bucket == *inbox && self.failed.bucket == *inbox
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

    /// Moves an object whose verdict is written on it. One without a verdict stays.
    pub async fn complete(&self, marked: &Object) -> Result<Placement, Error> {
        match mark::verdict_fixed(marked) {
            Some(Fixed::Processed) => {
                self.place(marked, &self.processed, &self.processed_bucket)
                    .await
            }
            Some(Fixed::Failed(_)) => self.place(marked, &self.failed, &self.failed_bucket).await,
            None => Ok(Placement::Superseded),
        }
    }

    async fn place(
        &self,
        object: &Object,
        to: &Location,
        bucket: &Arc<dyn Bucket>,
    ) -> Result<Placement, Error> {
        let below = self.inbox.below(&object.name);
        let date = mark::fixed_at(object).unwrap_or_else(|| self.clock.now());
        let names = candidates(to, below, object.generation, date);
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
        Kind::Precondition,
        operation,
        &object.bucket,
        &object.name,
        "every name it could get at its destination is taken; remove some of them",
    )
}

#[cfg(test)]
mod tests;
