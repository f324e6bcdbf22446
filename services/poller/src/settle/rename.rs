//! Settling within one bucket: one atomic rename.

use brigade_storage::{Bucket, Error, Object, Operation};

use super::{
    Placement, Step, all_taken,
    look::{self, Source},
};
use crate::{mark, retry::Backoff};

/// The result of one try at one name.
enum Try {
    Done(Step),
    /// Another object is at that name: try the next one.
    Taken,
}

/// Renames `object` to the first of `names` that is free, unless its metadata changed.
pub(super) async fn rename(
    bucket: &dyn Bucket,
    object: &Object,
    names: impl Iterator<Item = String> + Send,
) -> Result<Step, Error> {
    for name in names {
        match try_name(bucket, object, &name).await? {
            Try::Done(step) => return Ok(step),
            Try::Taken => {}
        }
    }
    Err(all_taken(object, Operation::Move))
}

/// One name, while its errors are transient. A blind repeat of a rename that was applied would answer 404 or 412, so
/// every error that leaves it open is followed by a look.
async fn try_name(bucket: &dyn Bucket, object: &Object, name: &str) -> Result<Try, Error> {
    let mut backoff = Backoff::new();
    let mut maybe_applied = false;
    loop {
        let Err(error) = bucket
            .rename(object.pinned(), object.metageneration, name)
            .await
        else {
            return Ok(moved(object, name));
        };
        if error.is_held() {
            return Ok(settled(Placement::Held(error.to_string())));
        }
        let conflict = error.is_precondition() || error.is_not_found();
        if !conflict && !error.is_transient() {
            return Err(error);
        }
        maybe_applied |= error.is_ambiguous();
        match look::source(bucket, object).await? {
            Source::Live(found) if found.metageneration != object.metageneration => {
                return Ok(Try::Done(Step::Changed(found, error)));
            }
            Source::Live(_) if error.is_precondition() => return Ok(Try::Taken),
            Source::Live(_) => backoff.wait(error).await?,
            Source::Gone if maybe_applied && arrived(bucket, object, name).await? => {
                return Ok(moved(object, name));
            }
            Source::Gone => return Ok(settled(Placement::Superseded)),
        }
    }
}

/// Whether the object's content is at `name`, put there after the object was created, with the same marks. A file that was
/// settled otherwise, moved back by a person and settled here has other marks.
async fn arrived(bucket: &dyn Bucket, object: &Object, name: &str) -> Result<bool, Error> {
    let found = look::object_at(bucket, name).await?;
    Ok(found.is_some_and(|found| {
        found.same_content(object)
            && found.generation > object.generation
            && mark::is_same(&found, object)
    }))
}

fn moved(object: &Object, name: &str) -> Try {
    settled(Placement::Moved(format!("gs://{}/{name}", object.bucket)))
}

fn settled(placement: Placement) -> Try {
    Try::Done(Step::Settled(placement))
}
