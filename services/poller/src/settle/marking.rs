//! Writes a verdict on the object where it lies, so that a crash before the move loses nothing.

use brigade_storage::{Bucket, Error, Metadata, Object};
use tokio::time::sleep;

use super::look::{self, Source};
use crate::{mark, retry};

/// Merges `mark` into the metadata of exactly this generation. Nothing when it was superseded.
///
/// The update is fenced by the metageneration too. When that one moved, a person changed the metadata, or our own
/// update was applied and its answer lost: a look tells, and what the person wrote is kept.
pub(super) async fn mark(
    bucket: &dyn Bucket,
    object: &Object,
    mark: &Metadata,
) -> Result<Option<Object>, Error> {
    let mut pauses = retry::pauses();
    let mut metageneration = object.metageneration;
    loop {
        let error = match bucket.update(object.pinned(), metageneration, mark).await {
            Ok(marked) => return Ok(Some(marked)),
            Err(error) => error,
        };
        let conflict = error.is_precondition() || error.is_not_found();
        if !conflict && !error.is_transient() {
            return Err(error);
        }
        match look::source(bucket, object).await? {
            Source::Gone => return Ok(None),
            Source::Live(found) if mark::verdict_fixed(&found).is_some() => {
                return Ok(Some(*found));
            }
            Source::Live(found) => metageneration = found.metageneration,
        }
        let Some(pause) = pauses.next() else {
            return Err(error);
        };
        sleep(pause.max(retry::wished(&error))).await;
    }
}
