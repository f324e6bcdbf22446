//! One bucket.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    medium::Medium,
    object::Object,
    refusal::{Refusal, Result},
    versions::Versions,
};

/// One bucket and what lies in it.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    /// How long objects are kept after their creation.
    pub(crate) retention: Option<Duration>,
    pub(crate) medium: Box<dyn Medium>,
    /// What was live before, when it is kept.
    pub(crate) versions: Option<Versions>,
}

/// A bucket as callers see it.
#[derive(Clone, Debug)]
pub(crate) struct BucketInfo {
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) retention: Option<Duration>,
}

impl Bucket {
    pub(crate) fn new(name: &str, medium: Box<dyn Medium>) -> Self {
        Self {
            name: name.to_owned(),
            created: Timestamp::now(),
            retention: None,
            medium,
            versions: None,
        }
    }

    pub(crate) fn info(&self) -> BucketInfo {
        BucketInfo {
            name: self.name.clone(),
            created: self.created,
            retention: self.retention,
        }
    }

    /// The live object.
    pub(crate) fn look(&mut self, name: &str) -> Result<Option<Object>> {
        let found = self.medium.look(name)?;
        Ok(found.map(|object| object.retained_for(self.retention)))
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
    pub(crate) const METAGENERATION: i64 = 1;
}
