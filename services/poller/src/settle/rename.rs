//! Settling within one bucket: one atomic rename.

use brigade_storage::{Bucket, Error, Object};

use super::{Placement, Settler, Step, source};
use crate::{
    mark,
    retry::{Backoff, leaves_open, live_object},
};

/// Renames `object` to `name`, unless its metadata changed. Nothing when another object is at that name.
///
/// A blind repeat of a rename that was applied would answer 404 or 412, so every error that leaves it open is followed by
/// a look.
pub(super) async fn rename(
    settler: &Settler,
    object: &Object,
    name: &str,
) -> Result<Option<Step>, Error> {
    let bucket = &*settler.source;
    let moved = || Placement::Moved(format!("gs://{}/{name}", object.bucket));
    let settled = |placement| Ok(Some(Step::Settled(placement)));
    let mut backoff = Backoff::new();
    let mut maybe_applied = false;
    loop {
        let renamed = bucket.rename(object.pinned(), object.metageneration, name);
        let Err(error) = renamed.await else {
            return settled(moved());
        };
        if error.is_held() {
            return settled(Placement::Held(error.to_string()));
        }
        if !leaves_open(&error) {
            return Err(error);
        }
        maybe_applied |= error.is_ambiguous();
        match source(bucket, object).await? {
            Some(found) if found.metageneration != object.metageneration => {
                return Ok(Some(Step::Changed(Box::new(found), error)));
            }
            Some(_) if error.is_precondition() => return Ok(None),
            Some(_) => backoff.wait(error).await?,
            None if maybe_applied
                && arrived(bucket, object, name).await?.is_some()
                && !settler.was_refused(object).await? =>
            {
                return settled(moved());
            }
            None => return settled(Placement::Superseded),
        }
    }
}

/// The object at `name`, if it has the object's content and was put there after the object was last written, with the same
/// marks. A move sets the time of creation, by the one clock of the server; generations of two names cannot be compared. A
/// file that was settled otherwise, moved back by a person and settled here has other marks.
pub(crate) async fn arrived(
    bucket: &dyn Bucket,
    object: &Object,
    name: &str,
) -> Result<Option<Object>, Error> {
    let found = live_object(bucket, name).await?;
    Ok(found.filter(|found| {
        found.same_content(object)
            && found.created >= object.updated
            && mark::is_same(found, object)
    }))
}
