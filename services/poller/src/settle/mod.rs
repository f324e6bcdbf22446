//! Moves an object by its verdict, fenced by its generation, and tells what became of it.

mod copy;
mod look;
mod marking;
mod rename;

use std::{borrow::Cow, mem::discriminant, sync::Arc, time::Duration};

use brigade_storage::{Bucket, Error, Kind, Location, Metadata, Object};
use tokio::time::sleep;

use self::look::Source;
use crate::{
    clock::Clock,
    destination::{candidates, may_be_cut},
    mark::{self, Fixed},
    retry,
};

/// How long an object is left alone that storage refuses to move, at first and at most. In between it is as long as the
/// verdict is old.
pub(crate) const REFUSED: Duration = Duration::from_mins(1);
pub(crate) const REFUSED_LONGEST: Duration = Duration::from_hours(1);

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
    /// Another verdict was written on it before this one, and moved it.
    Overruled {
        /// That one.
        by: Fixed,
        /// The `gs://` URI where it lies now.
        destination: String,
    },
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
    /// to be whole at its destination: the mark keeps it. And that of one which bears an earlier generation's verdict.
    pub async fn processed(&self, object: &Object) -> Result<Placement, Error> {
        let now = self.clock.now();
        let below = self.inbox.below(&object.name);
        let may_be_cut = may_be_cut(&self.processed, below, object.generation, now);
        let is_marked = object.metadata.contains_key(mark::STATUS);
        if self.is_one_bucket() && !may_be_cut && !is_marked {
            return self.place(object, Fixed::Processed).await;
        }
        let mark = mark::processed(object, now);
        self.fix(object, &mark, Fixed::Processed).await
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
        self.fix(object, &mark, Fixed::Failed(reason.into())).await
    }

    /// Writes a verdict on an object, and moves it by that, unless another verdict was there before.
    ///
    /// An object whose own metadata leaves no room for the mark is moved without it where one step is enough.
    async fn fix(
        &self,
        object: &Object,
        mark: &Metadata,
        verdict: Fixed,
    ) -> Result<Placement, Error> {
        let mut marked = marking::mark(&*self.source, object, mark).await;
        if let Err(error) = &marked
            && *error.kind() == Kind::Invalid
            && self.is_one_bucket()
            && !mark::has_room(object, mark)
        {
            tracing::warn!(%error, "the verdict could not be written on its object, which is moved without it");
            if !object.metadata.contains_key(mark::STATUS) {
                return self.place(object, verdict).await;
            }
            // That of an earlier generation is not to be taken for it.
            marked = marking::mark(&*self.source, object, &mark::none()).await;
        }
        match marked? {
            Some(marked) => self.place(&marked, verdict).await,
            None => Ok(Placement::Superseded),
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

    /// Writes on an object that storage refuses to move, and would refuse again, when it is to be tried next: longer each
    /// time. The worker is not asked then if the verdict is on it too, as it is from here on if it was accepted. How long
    /// that is; nothing when the object was superseded.
    pub async fn put_off(
        &self,
        object: &Object,
        is_accepted: bool,
    ) -> Result<Option<Duration>, Error> {
        let Source::Live(found) = look::source(&*self.source, object).await? else {
            return Ok(None);
        };
        let now = self.clock.now();
        let since = mark::fixed_at(&found).unwrap_or(now);
        let age = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        let pause = age.clamp(REFUSED, REFUSED_LONGEST);
        let due = now.checked_add(pause).unwrap_or(now);
        let verdict = match mark::verdict_fixed(&found) {
            Some(_) => Metadata::new(),
            None if is_accepted => mark::processed(&found, now),
            None => mark::none(),
        };
        let mark = mark::put_off(&found, verdict, due);
        let update = self
            .source
            .update(found.pinned(), found.metageneration, &mark);
        update.await.map(|_| Some(pause))
    }

    /// Moves an object whose verdict is written on it. One without a verdict stays.
    pub async fn complete(&self, marked: &Object) -> Result<Placement, Error> {
        match mark::verdict_fixed(marked) {
            Some(fixed) => self.place(marked, fixed).await,
            None => Ok(Placement::Superseded),
        }
    }

    /// Moves an object by the verdict that is written on it, or by `verdict` when there is none.
    ///
    /// A rename is fenced by the metadata too: the first verdict that was written counts, also when it was written just
    /// now. What people change meanwhile is none, and goes along.
    async fn place(&self, object: &Object, verdict: Fixed) -> Result<Placement, Error> {
        let mut object = Cow::Borrowed(object);
        let mut pauses = retry::pauses();
        loop {
            let written = mark::verdict_fixed(&object);
            let is_written = written.is_some();
            let counts = written.unwrap_or_else(|| verdict.clone());
            let (found, error) = match self.step(&object, &counts).await? {
                Step::Settled(Placement::Moved(destination))
                    if discriminant(&counts) != discriminant(&verdict) =>
                {
                    let by = counts;
                    return Ok(Placement::Overruled { by, destination });
                }
                Step::Settled(placement) => return Ok(placement),
                Step::Changed(found, error) => (found, error),
            };
            if is_written && mark::verdict_fixed(&found).is_none() {
                // Somebody took the verdict off, for a new try.
                return Ok(Placement::Superseded);
            }
            let Some(pause) = pauses.next() else {
                return Err(error);
            };
            sleep(pause.max(retry::wished(&error))).await;
            object = Cow::Owned(*found);
        }
    }

    /// One move of an object as it was found.
    async fn step(&self, object: &Object, verdict: &Fixed) -> Result<Step, Error> {
        let (to, bucket) = match verdict {
            Fixed::Processed => (&self.processed, &self.processed_bucket),
            Fixed::Failed(_) => (&self.failed, &self.failed_bucket),
        };
        let below = self.inbox.below(&object.name);
        let date = mark::fixed_at(object).unwrap_or_else(|| self.clock.now());
        let names = candidates(to, below, object.generation, date);
        if to.bucket == self.inbox.bucket {
            rename::rename(&*self.source, object, names).await
        } else {
            let copied = copy::copy(&*self.source, object, &**bucket, names).await?;
            Ok(Step::Settled(copied))
        }
    }
}

/// What one move came to.
enum Step {
    /// Done with this object.
    Settled(Placement),
    /// Its metadata are other ones now, which were refused so.
    Changed(Box<Object>, Error),
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
