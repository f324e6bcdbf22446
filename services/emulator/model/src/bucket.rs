//! One bucket.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    backend::{Backend, BeingWritten},
    object::Object,
    refusal::{Refusal, Result},
};

/// Noncurrent versions by name and generation.
type Versions = BTreeMap<(String, i64), (Object, Bytes)>;

/// One bucket and where its objects are stored.
#[derive(Debug)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// How long objects are kept after their creation.
    pub retention: Option<Duration>,
    pub(crate) backend: Box<dyn Backend>,
    /// What was live before, when it is kept.
    pub(crate) versions: Option<Versions>,
}

/// A bucket as callers see it.
#[derive(Clone, Debug)]
pub struct BucketInfo {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// How long objects are kept after their creation.
    pub retention: Option<Duration>,
}

impl Bucket {
    pub(crate) fn new(name: &str, created: Timestamp, backend: Box<dyn Backend>) -> Self {
        Self { name: name.to_owned(), created, retention: None, backend, versions: None }
    }

    pub(crate) fn info(&self) -> BucketInfo {
        BucketInfo { name: self.name.clone(), created: self.created, retention: self.retention }
    }

    /// The live object.
    pub fn look(&mut self, name: &str) -> Result<Option<Object>> {
        let found = self.backend.look(name)?;
        Ok(found.map(|object| object.retained_for(self.retention)))
    }

    /// All live objects whose names begin with `prefix`, in name order.
    pub fn objects(&mut self, prefix: &str) -> Result<Vec<Object>> {
        let mut objects = Vec::new();
        for name in self.backend.names(prefix, "", usize::MAX)? {
            objects.extend(self.look(&name)?);
        }
        Ok(objects)
    }

    /// The files that will be objects, and that were none yet at their last look.
    pub fn being_written(&mut self, prefix: &str) -> Vec<BeingWritten> {
        self.backend.being_written(prefix)
    }

    /// The live object; it must be there, and be `generation` if one is given.
    pub(crate) fn find(&mut self, name: &str, generation: Option<i64>) -> Result<Object> {
        self.look(name)?
            .filter(|object| generation.is_none_or(|want| want == object.generation))
            .ok_or_else(|| Refusal::no_object(&self.name, name))
    }
}

impl BucketInfo {
    /// Of a bucket's own metadata nothing can be changed here.
    pub const METAGENERATION: i64 = 1;
}
