//! Looks where an object is after an error that leaves that open.

use brigade_storage::{Bucket, Error, Object};

use crate::retry;

/// What is at the source's name now.
pub(super) enum Source {
    /// Still exactly this generation; its metadata may have changed.
    Live(Box<Object>),
    /// Something else, or nothing.
    Gone,
}

/// Looks at the source's name.
pub(super) async fn source(bucket: &dyn Bucket, object: &Object) -> Result<Source, Error> {
    Ok(match object_at(bucket, &object.name).await? {
        Some(found) if found.generation == object.generation => Source::Live(Box::new(found)),
        Some(_) | None => Source::Gone,
    })
}

/// The live object of this name, if there is one.
pub(super) async fn object_at(bucket: &dyn Bucket, name: &str) -> Result<Option<Object>, Error> {
    match retry::repeated(|| bucket.get(name)).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
