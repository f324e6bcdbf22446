//! Moves an object by its verdict, fenced by its generation.

pub(crate) mod copy;
mod marking;
pub(crate) mod rename;
mod replayed;

use std::{borrow::Cow, mem::discriminant, sync::Arc, time::Duration};

use brigade_storage::{Bucket, Error, Kind, Metadata, Object, Operation, Store};

use crate::{
    clock::Clock,
    config::Config,
    destination::{candidates, may_be_cut, older_candidates},
    mark::{self, Failure, RecordedVerdict},
    retry::{Backoff, MOVE_RETRY_MAX, MOVE_RETRY_MIN, live_object},
};

/// Settles objects of one inbox.
#[derive(Clone, Debug)]
pub(crate) struct Settler {
    config: Arc<Config>,
    /// The inbox's bucket.
    source: Arc<dyn Bucket>,
    pub(crate) processed: Arc<dyn Bucket>,
    pub(crate) failed: Arc<dyn Bucket>,
    /// Dates destinations and marks.
    pub(crate) clock: Arc<dyn Clock>,
}

/// What became of an object that was to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// It is at this `gs://` URI now.
    Moved(String),
    /// Another verdict was written on it before this one, and moved it.
    Overruled {
        /// That one.
        by: RecordedVerdict,
        /// The `gs://` URI where it is now.
        destination: String,
    },
    /// It was replaced, removed or settled by another poller meanwhile; nothing was moved.
    Superseded,
    /// This keeps it where it is.
    Held(String),
}

impl Settler {
    pub(crate) fn new(config: Arc<Config>, store: &dyn Store, clock: Arc<dyn Clock>) -> Self {
        let bucket = |location: &brigade_storage::Location| store.bucket(&location.bucket);
        Self {
            source: bucket(&config.inbox),
            processed: bucket(&config.processed),
            failed: bucket(&config.failed),
            config,
            clock,
        }
    }

    /// The inbox's bucket.
    pub(crate) fn source(&self) -> Arc<dyn Bucket> {
        self.source.clone()
    }

    /// The live object of this name in the inbox's bucket.
    pub(crate) async fn live(&self, name: &str) -> Result<Option<Object>, Error> {
        live_object(&*self.source, name).await
    }

    /// Moves an accepted object to the processed location: one storage call when everything is in one bucket.
    ///
    /// The verdict is written on the object first, as it is on a refused one, in four cases: objects go to another
    /// bucket, where a copy and a deletion are two steps, and two pollers with different verdicts would leave two copies;
    /// the name may be cut at its destination, and the mark keeps it whole; an earlier mark is on it, which would
    /// contradict its place; or the settings ask for it.
    pub(crate) async fn processed(
        &self,
        object: &Object,
        outputs: &[String],
    ) -> Result<Placement, Error> {
        let now = self.clock.now();
        let config = &self.config;
        let below = config.inbox.below(&object.name);
        let may_be_cut = may_be_cut(&config.processed, below, object.generation, now);
        let is_one_call = config.is_one_bucket() && !may_be_cut && !config.mark_processed;
        let verdict = RecordedVerdict::Processed;
        // Not made for the usual object, which gets none.
        let mark = || mark::processed(object, outputs, now);
        if is_one_call && !mark::is_marked(object) {
            return self.place(object, verdict, mark).await;
        }
        self.record_and_place(object, &mark(), verdict).await
    }

    /// Marks a refused object where it is, then moves it to the failed location.
    ///
    /// A crash in between leaves a marked object, which [`Settler::complete`] moves.
    pub(crate) async fn failed(
        &self,
        object: &Object,
        failure: &Failure,
        attempts: u32,
    ) -> Result<Placement, Error> {
        let mark = mark::failed(object, failure, attempts, self.clock.now());
        let verdict = RecordedVerdict::Failed(failure.reason.clone());
        self.record_and_place(object, &mark, verdict).await
    }

    /// Writes a verdict on an object, and moves it by that, unless another verdict was there before.
    ///
    /// An object whose own metadata leaves no room for the mark is moved without it where one step is enough.
    async fn record_and_place(
        &self,
        object: &Object,
        mark: &Metadata,
        verdict: RecordedVerdict,
    ) -> Result<Placement, Error> {
        let mut marked = marking::mark(&*self.source, object, mark).await;
        if let Err(error) = &marked
            && *error.kind() == Kind::Invalid
            && self.config.is_one_bucket()
            && !mark::has_room(object, mark)
        {
            tracing::warn!(%error, "could not write the verdict on its object; moving it without");
            if !mark::is_marked(object) {
                return self.place(object, verdict, || mark.clone()).await;
            }
            // That of an earlier generation, or try, is not to be taken for it.
            marked = marking::mark(&*self.source, object, &mark::none()).await;
        }
        match marked? {
            Some(marked) => self.place(&marked, verdict, || mark.clone()).await,
            None => Ok(Placement::Superseded),
        }
    }

    /// Writes a mark on an object that stays. The object as it is then; nothing when it was superseded, or another poller
    /// has written a verdict on it.
    pub(crate) async fn record(
        &self,
        object: &Object,
        mark: &Metadata,
    ) -> Result<Option<Object>, Error> {
        let marked = marking::mark(&*self.source, object, mark).await?;
        Ok(marked.filter(|marked| mark::recorded_verdict(marked).is_none()))
    }

    /// Writes the time of the next try on an object that storage refuses to move: later by the age of its verdict. An
    /// accepted one gets its verdict too, so that the worker is not asked again: `accepted` are its outputs. Returns the
    /// pause; nothing when the object was superseded.
    pub(crate) async fn defer_move(
        &self,
        object: &Object,
        accepted: Option<&[String]>,
    ) -> Result<Option<Duration>, Error> {
        let Some(found) = source(&*self.source, object).await? else {
            return Ok(None);
        };
        let now = self.clock.now();
        let since = mark::recorded_at(&found).unwrap_or(now);
        let age = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        let pause = age.clamp(MOVE_RETRY_MIN, MOVE_RETRY_MAX);
        let due = now.checked_add(pause).unwrap_or(now);
        let verdict = match (mark::recorded_verdict(&found), accepted) {
            (Some(_), _) => Metadata::new(),
            (None, Some(outputs)) => mark::processed(&found, outputs, now),
            (None, None) => mark::none(),
        };
        let mark = mark::deferred(&found, verdict, due);
        let update = self.source.update(found.pinned(), found.metageneration, &mark);
        update.await.map(|_| Some(pause))
    }

    /// Moves an object whose verdict is written on it. One without a verdict stays.
    pub(crate) async fn complete(&self, marked: &Object) -> Result<Placement, Error> {
        let Some(verdict) = mark::recorded_verdict(marked) else {
            return Ok(Placement::Superseded);
        };
        let mark = mark::not_deferred;
        if mark::due(marked).is_none() {
            return self.place(marked, verdict, mark).await;
        }
        // Storage refused to move it before. At its destination it has no next try.
        match marking::mark(&*self.source, marked, &mark()).await {
            Ok(Some(marked)) => self.place(&marked, verdict, mark).await,
            Ok(None) => Ok(Placement::Superseded),
            Err(_) => self.place(marked, verdict, mark).await,
        }
    }

    /// Moves an object by the verdict that is written on it, or by `verdict` when there is none.
    ///
    /// A rename is fenced by the metadata too: the first verdict that was written counts, also when it was written a moment
    /// ago. A try that another poller has noted meanwhile is replaced by `mark`. Other metadata that changes meanwhile is no
    /// verdict, and moves along.
    async fn place(
        &self,
        object: &Object,
        verdict: RecordedVerdict,
        mark: impl Fn() -> Metadata + Send + Sync,
    ) -> Result<Placement, Error> {
        let mut object = Cow::Borrowed(object);
        let mut backoff = Backoff::new();
        loop {
            let written = mark::recorded_verdict(&object);
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
            if is_written && mark::recorded_verdict(&found).is_none() {
                // A person took the verdict off, for a new try.
                return Ok(Placement::Superseded);
            }
            backoff.wait(error).await?;
            if mark::recorded_verdict(&found).is_none() && mark::is_marked(&found) {
                return Box::pin(self.record_and_place(&found, &mark(), verdict)).await;
            }
            object = Cow::Owned(*found);
        }
    }

    /// One move of an object as it was found.
    async fn step(&self, object: &Object, verdict: &RecordedVerdict) -> Result<Step, Error> {
        let config = &self.config;
        let (to, bucket) = match verdict {
            RecordedVerdict::Processed => (&config.processed, &self.processed),
            RecordedVerdict::Failed(_) => (&config.failed, &self.failed),
        };
        let below = config.inbox.below(&object.name);
        let date = mark::recorded_at(object).unwrap_or_else(|| self.clock.now());
        let is_rename = to.bucket == config.inbox.bucket;
        for (number, name) in candidates(to, below, object.generation, date).enumerate() {
            let step = if is_rename {
                rename::rename(self, object, &name).await?
            } else {
                let older = older_candidates(to, below, object.generation, date);
                if number == 1
                    && let Some(there) = find_copy(&**bucket, older, object).await?
                {
                    let placed = copy::remove_source(&*self.source, object, &there).await?;
                    return Ok(Step::Settled(placed));
                }
                let copied =
                    copy::copy(&*self.source, object, &**bucket, &name, &mark::copied(object))
                        .await?;
                copied.map(Step::Settled)
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
        let operation = if is_rename { Operation::Move } else { Operation::Rewrite };
        let why =
            "every name that it could get at its destination is taken; fix: remove some of them";
        let (bucket, name) = (&object.bucket, &object.name);
        Err(Error::new(Kind::Precondition, operation, bucket, name, why))
    }

    /// Whether another poller refused and moved this generation, which has no mark here. What is at its destination is then
    /// an upload of the same bytes.
    async fn was_refused(&self, object: &Object) -> Result<bool, Error> {
        if object.metadata.contains_key(mark::STATUS) {
            return Ok(false);
        }
        let below = self.config.inbox.below(&object.name);
        let (to, now) = (&self.config.failed, self.clock.now());
        let names = candidates(to, below, object.generation, now);
        let older = older_candidates(to, below, object.generation, now);
        Ok(find_copy(&*self.failed, names, object).await?.is_some()
            || find_copy(&*self.failed, older, object).await?.is_some())
    }
}

/// The copy of an object under the first of these names, or under one behind names that are taken.
async fn find_copy(
    bucket: &dyn Bucket,
    names: impl Iterator<Item = String>,
    object: &Object,
) -> Result<Option<Object>, Error> {
    for name in names {
        match live_object(bucket, &name).await? {
            Some(found) if mark::is_copy_of(&found, object) => return Ok(Some(found)),
            Some(_) => {}
            None => break,
        }
    }
    Ok(None)
}

/// The result of one move.
enum Step {
    /// Done with this object.
    Settled(Placement),
    /// Its metadata changed meanwhile, which this error refused.
    Changed(Box<Object>, Error),
}

/// The object as it is now, if it is still this generation.
pub(crate) async fn source(bucket: &dyn Bucket, object: &Object) -> Result<Option<Object>, Error> {
    let found = live_object(bucket, &object.name).await?;
    Ok(found.filter(|found| found.generation == object.generation))
}

#[cfg(test)]
mod tests;
