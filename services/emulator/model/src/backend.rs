//! What objects lie on: memory or a directory. It knows no conditions and no holds.

use std::{fmt, ops::Range, time::Duration};

use crate::{content::Content, draft::Draft, object::Object, refusal::Result};

/// A file that is no object yet.
#[derive(Clone, Debug)]
pub struct BeingWritten {
    /// The name that the object will have.
    pub name: String,
    /// How long it has been known.
    pub waited: Duration,
    /// Whether the next look finds the object.
    pub has_rested: bool,
}

/// Where a bucket's objects lie.
///
/// A write is all or nothing. Callers hold the storage's lock, so nothing but the file system's other users
/// comes in between.
pub trait Backend: fmt::Debug + Send {
    /// At most `limit` names that begin with `prefix` and are not before `from`, in byte order.
    fn names(&mut self, prefix: &str, from: &str, limit: usize) -> Result<Vec<String>>;

    /// The live object of this name.
    fn look(&mut self, name: &str) -> Result<Option<Object>>;

    /// The highest generation that an object of this name had, as far as the backend knows; 0 for none.
    fn last_generation(&self, name: &str) -> i64;

    /// A part of exactly this object's content.
    fn read(&mut self, object: &Object, range: Range<u64>) -> Result<Content>;

    /// Where the content of an upload is kept while it arrives.
    fn draft(&self) -> Draft {
        Draft::in_memory()
    }

    /// Refuses a name that this backend cannot hold.
    fn check_name(&self, name: &str) -> Result<()>;

    /// Writes `object`, in the place of `replaced` or, without one, where nothing may be.
    fn write(&mut self, object: &Object, content: Content, replaced: Option<&Object>)
    -> Result<()>;

    /// Keeps the metadata of `object`, whose content is there.
    fn annotate(&mut self, object: &Object) -> Result<()>;

    /// Makes `source` into `moved`, in the place of `replaced` or, without one, where nothing may be.
    fn rename(&mut self, source: &Object, moved: &Object, replaced: Option<&Object>) -> Result<()>;

    /// Removes exactly this object.
    fn remove(&mut self, object: &Object) -> Result<()>;

    /// Whether the bucket itself can be deleted with its last object; a directory of this machine's owner stays.
    fn is_disposable(&self) -> bool;

    /// The files with names that begin with `prefix` and that were no objects yet at their last look, in name order.
    fn being_written(&mut self, _prefix: &str) -> Vec<BeingWritten> {
        Vec::new()
    }
}
