//! What objects lie on: memory or a directory. It knows no conditions and no holds.

use std::{fmt, ops::Range};

use bytes::Bytes;

use crate::{object::Object, refusal::Result};

/// Where a bucket's objects lie.
///
/// A write is all or nothing. Callers hold the storage's lock, so nothing but the file system's other users
/// comes in between.
pub trait Backend: fmt::Debug + Send {
    /// At most `limit` names that begin with `prefix` and are not before `from`, in byte order.
    fn names(&mut self, prefix: &str, from: &str, limit: usize) -> Result<Vec<String>>;

    /// The live object of this name.
    fn look(&mut self, name: &str) -> Result<Option<Object>>;

    /// A part of exactly this object's content.
    fn read(&mut self, object: &Object, range: Range<u64>) -> Result<Bytes>;

    /// Refuses a name that this backend cannot hold.
    fn check_name(&self, name: &str) -> Result<()>;

    /// Writes `object`, in the place of `replaced` or, without one, where nothing may be.
    fn write(&mut self, object: &Object, content: Bytes, replaced: Option<&Object>) -> Result<()>;

    /// Keeps the metadata of `object`, whose content is there.
    fn annotate(&mut self, object: &Object) -> Result<()>;

    /// Makes `source` into `moved`, in the place of `replaced` or, without one, where nothing may be.
    fn rename(&mut self, source: &Object, moved: &Object, replaced: Option<&Object>) -> Result<()>;

    /// Removes exactly this object.
    fn remove(&mut self, object: &Object) -> Result<()>;

    /// Whether the bucket itself can be deleted with its last object; a directory of this machine's owner stays.
    fn is_disposable(&self) -> bool;
}
