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
    /// What its maker set.
    pub config: BucketConfig,
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
    /// What its maker set.
    pub config: BucketConfig,
}

/// What the maker of a bucket sets.
#[derive(Clone, Debug, Default)]
pub struct BucketConfig {
    /// How long objects are kept after their creation.
    pub retention: Option<Duration>,
    /// The class of objects that are made without one; empty for `STANDARD`.
    pub storage_class: String,
    /// Where it is; empty for `US`.
    pub location: String,
    /// The maker's own marks.
    pub labels: BTreeMap<String, String>,
    /// What is stored and returned and changes nothing: fields of the JSON API and their values in JSON.
    pub fields: BTreeMap<String, String>,
}

impl Bucket {
    pub(crate) fn new(name: &str, created: Timestamp, backend: Box<dyn Backend>) -> Self {
        Self {
            name: name.to_owned(),
            created,
            config: BucketConfig::default(),
            backend,
            versions: None,
        }
    }

    pub(crate) fn info(&self) -> BucketInfo {
        BucketInfo { name: self.name.clone(), created: self.created, config: self.config.clone() }
    }

    /// The live object.
    pub fn look(&mut self, name: &str) -> Result<Option<Object>> {
        let found = self.backend.look(name)?;
        Ok(found.map(|object| object.retained_for(self.config.retention)))
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

impl BucketConfig {
    /// Cloud Storage keeps an object for at most 100 years.
    const LONGEST_RETENTION: Duration = Duration::from_secs(3_155_760_000);

    /// Where it is.
    pub fn location(&self) -> String {
        if self.location.is_empty() { "US".to_owned() } else { self.location.to_uppercase() }
    }

    /// What kind of place that is.
    pub fn location_type(&self) -> &'static str {
        match self.location().as_str() {
            "US" | "EU" | "ASIA" => "multi-region",
            "NAM4" | "EUR4" | "EUR5" | "EUR7" | "EUR8" | "ASIA1" => "dual-region",
            _ => "region",
        }
    }

    /// Refuses what no bucket can have.
    pub(crate) fn check(&self) -> Result<()> {
        let legal = Duration::from_secs(1)..=Self::LONGEST_RETENTION;
        match self.retention {
            Some(period) if !legal.contains(&period) => Err(Refusal::invalid(
                "The retention period must be between 1 second and 3155760000 seconds (100 years).",
            )),
            _ => Ok(()),
        }
    }
}

impl BucketInfo {
    /// Of a bucket's own metadata nothing can be changed here.
    pub const METAGENERATION: i64 = 1;
}
