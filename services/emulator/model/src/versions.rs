//! Object versioning, for buckets in memory: what is replaced, deleted or moved away can still be read by its generation.
//!
//! Listings show live objects only; `versions=true` is not served. A deletion that names its `generation` removes that
//! version for good, any other makes the live object noncurrent.
//! Source: <https://cloud.google.com/storage/docs/object-versioning>. That a move leaves a version too is read out of it,
//! and was not tried on the real service.

use std::ops::Range;

use bytes::Bytes;

use crate::{
    bucket::Bucket,
    content::Content,
    object::Object,
    refusal::{Refusal, Result},
};

impl Bucket {
    /// Keeps noncurrent versions from now on.
    pub fn keep_versions(&mut self) -> Result<()> {
        if !self.backend.is_disposable() {
            return Err(Refusal::unsupported("versions of files in a directory"));
        }
        self.versions.get_or_insert_default();
        Ok(())
    }

    /// What has to be kept of an object that is about to go; [`Self::retire`] keeps it when it has gone.
    pub(crate) fn archive(&mut self, object: Option<&Object>) -> Result<Option<(Object, Bytes)>> {
        match object {
            Some(object) if self.versions.is_some() => {
                let content = self.backend.read(object, 0..object.size)?.into_bytes()?;
                Ok(Some((object.clone(), content)))
            }
            Some(_) | None => Ok(None),
        }
    }

    pub(crate) fn retire(&mut self, left: Option<(Object, Bytes)>) {
        if let (Some(versions), Some((object, content))) = (&mut self.versions, left) {
            let key = (object.name.clone(), object.generation);
            versions.insert(key, (object, content));
        }
    }

    /// The live object, or exactly this generation of it, live or noncurrent.
    pub(crate) fn find_version(&mut self, name: &str, generation: Option<i64>) -> Result<Object> {
        let live = self.find(name, generation);
        match self.version(name, generation) {
            Some((object, _)) if live.is_err() => Ok(object.clone()),
            _ => live,
        }
    }

    /// A part of the content of a version that was found.
    pub(crate) fn read(&mut self, object: &Object, range: Range<u64>) -> Result<Content> {
        match self.version(&object.name, Some(object.generation)) {
            Some((_, content)) => {
                let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
                let part = content.slice(at(range.start)..at(range.end).min(content.len()));
                Ok(Content::Bytes(part))
            }
            None => self.backend.read(object, range),
        }
    }

    /// Removes a noncurrent version for good. Whether there was one.
    pub(crate) fn forget_version(&mut self, name: &str, generation: i64) -> bool {
        let key = (name.to_owned(), generation);
        let versions = self.versions.as_mut();
        versions.is_some_and(|versions| versions.remove(&key).is_some())
    }

    /// The noncurrent versions, by name and generation.
    pub fn noncurrent(&self) -> impl Iterator<Item = &Object> {
        self.versions.iter().flat_map(|versions| versions.values().map(|(object, _)| object))
    }

    fn version(&self, name: &str, generation: Option<i64>) -> Option<&(Object, Bytes)> {
        let key = (name.to_owned(), generation?);
        self.versions.as_ref()?.get(&key)
    }
}
