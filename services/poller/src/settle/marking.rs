//! Writes a mark on the object where it is, so that a crash before the move loses nothing.

use brigade_storage::{Bucket, Error, Metadata, Object};

use super::source;
use crate::{
    mark,
    retry::{Backoff, leaves_open},
};

/// Merges `mark` into the metadata of exactly this generation. Nothing when it was superseded.
///
/// The update is fenced by the metageneration too. When that has changed, a person changed the metadata, or our own update
/// was applied and its answer lost: a look tells which, and keeps what the person wrote.
pub(super) async fn mark(
    bucket: &dyn Bucket,
    object: &Object,
    mark: &Metadata,
) -> Result<Option<Object>, Error> {
    let mut backoff = Backoff::new();
    let mut metageneration = object.metageneration;
    loop {
        let error = match bucket.update(object.pinned(), metageneration, mark).await {
            Ok(marked) => return Ok(Some(marked)),
            Err(error) => error,
        };
        if !leaves_open(&error) {
            return Err(error);
        }
        match source(bucket, object).await? {
            Some(found) if mark::recorded_verdict(&found).is_none() => {
                metageneration = found.metageneration;
            }
            settled => return Ok(settled),
        }
        backoff.wait(error).await?;
    }
}
