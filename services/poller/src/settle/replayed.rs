//! Completes the replay of an object from another bucket: a copy, and the deletion of what it was made of.

use brigade_storage::{Error, Object, provenance};

use super::{Placement, Settler, copy::remove_source};
use crate::{mark, retry::live_object};

impl Settler {
    /// Removes the failed object that this one was copied from, when a replay has not. Until it is removed the copy is no
    /// work: the same replay, begun again, would copy it twice. Returns what keeps it there.
    ///
    /// An uploader can write any source on an object. What is removed has the same content, so that nothing is lost.
    pub(crate) async fn complete_replay(&self, object: &Object) -> Result<Option<String>, Error> {
        let failed = &self.config.failed;
        let is_copied = |source: &provenance::Origin| {
            failed.bucket != self.config.inbox.bucket
                && failed.holds_on_any_day(&source.bucket, &source.name)
        };
        let Some(source) = provenance::source_in(&object.metadata).filter(is_copied) else {
            return Ok(None);
        };
        let original = live_object(&*self.failed, &source.name).await?;
        let Some(original) = original.filter(|original| mark::is_copy_of(object, original)) else {
            return Ok(None);
        };
        match remove_source(&*self.failed, &original, object).await? {
            Placement::Held(why) => Ok(Some(why)),
            _ => Ok(None),
        }
    }
}
