//! Moves one failed object back into the inbox.

use std::sync::Arc;

use brigade_proto::v1::{Place, ReplayResult};
use brigade_storage::{Bucket, Error, Object, object::escape};

use super::super::place;
use crate::{
    instance::Instance,
    mark,
    retry::{Backoff, leaves_open},
    settle::{Placement, copy::copy, rename::arrived, source},
};

const CONFLICT: &str = "the inbox has another object of its name; fix: wait until that one is settled, or remove one of the two";
const GONE: &str = "it is not there any more, or was replaced";
const UNHEARD: &str = "the answer of its move was lost, and it is in neither place now: a poll may have passed it on already";
const CHANGED: &str = "its metadata changed meanwhile; fix: replay it again";

/// What became of an object, and why.
#[derive(Debug)]
pub(super) struct PutBack {
    pub(super) result: ReplayResult,
    pub(super) reason: String,
}

impl PutBack {
    pub(super) fn new(result: ReplayResult, reason: impl Into<String>) -> Self {
        Self { result, reason: reason.into() }
    }
}

/// The name that a failed object gets in the inbox; or why it can get none.
pub(super) fn destination(instance: &Instance, object: &Object) -> Result<String, PutBack> {
    let config = &instance.config;
    let below = place::inbox_path(config, Place::Failed, object);
    let name = format!("{}{below}", config.inbox.prefix);
    // One that lies in a destination, or among the control objects, would be no work there.
    if place::find(config, &config.inbox.bucket, &name) == Some(Place::Inbox) {
        return Ok(name);
    }
    let why = format!(
        "no poll would find it at gs://{}/{}; fix: move it by hand, under another name",
        config.inbox.bucket,
        escape(&name)
    );
    Err(PutBack::new(ReplayResult::Error, why))
}

/// Moves exactly this object to `name` in the inbox. An error would be that of every other object too.
pub(super) async fn put_back(
    instance: Arc<Instance>,
    object: Object,
    name: String,
) -> Result<PutBack, Error> {
    let settler = &instance.settler;
    let moved = if instance.config.failed.bucket == instance.config.inbox.bucket {
        rename(&*settler.source(), &object, &name).await
    } else {
        let mut metadata = mark::none();
        metadata.extend(mark::copied(&object));
        let copied = copy(&*settler.failed, &object, &*settler.source(), &name, &metadata).await;
        copied.map(|placement| match placement {
            None => PutBack::new(ReplayResult::Conflict, CONFLICT),
            Some(Placement::Held(why)) => PutBack::new(ReplayResult::Held, why),
            Some(Placement::Superseded) => PutBack::new(ReplayResult::Gone, GONE),
            Some(Placement::Moved(_) | Placement::Overruled { .. }) => {
                PutBack::new(ReplayResult::Replayed, "")
            }
        })
    };
    match moved {
        Err(error) if !error.needs_fix() && !error.is_transient() => {
            Ok(PutBack::new(ReplayResult::Error, error.to_string()))
        }
        moved => moved,
    }
}

/// Renames the object, unless it changed. A blind repeat of a rename that was applied would be refused: each error that leaves
/// it open is followed by a look.
async fn rename(bucket: &dyn Bucket, object: &Object, name: &str) -> Result<PutBack, Error> {
    let done = |result, reason: &str| Ok(PutBack::new(result, reason));
    let mut backoff = Backoff::new();
    let mut maybe_applied = false;
    loop {
        let error = match bucket.rename(object.pinned(), object.metageneration, name).await {
            Ok(moved) => {
                unmark(bucket, &moved).await;
                return done(ReplayResult::Replayed, "");
            }
            Err(error) => error,
        };
        if error.is_held() {
            return done(ReplayResult::Held, &error.to_string());
        }
        if !leaves_open(&error) {
            return Err(error);
        }
        maybe_applied |= error.is_ambiguous();
        match source(bucket, object).await? {
            Some(found) if found.metageneration != object.metageneration => {
                return done(ReplayResult::Error, CHANGED);
            }
            Some(_) if error.is_precondition() => return done(ReplayResult::Conflict, CONFLICT),
            Some(_) => backoff.wait(error).await?,
            None if !maybe_applied => return done(ReplayResult::Gone, GONE),
            None => {
                let Some(moved) = arrived(bucket, object, name).await? else {
                    return done(ReplayResult::Gone, UNHEARD);
                };
                unmark(bucket, &moved).await;
                return done(ReplayResult::Replayed, "");
            }
        }
    }
}

/// Removes the old verdict from what is in the inbox again. It does not count there: where storage refuses, or a poll was
/// first, it stays until the next one.
async fn unmark(bucket: &dyn Bucket, moved: &Object) {
    if !mark::is_marked(moved) {
        return;
    }
    if let Err(error) = bucket.update(moved.pinned(), moved.metageneration, &mark::none()).await {
        tracing::debug!(%error, "the marks of a replayed object stay until its next one");
    }
}
