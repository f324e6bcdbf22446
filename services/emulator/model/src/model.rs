//! The buckets, and what can be done with a bucket itself. What can be done with objects is in the files beside this.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    access::{Access, Permission, Role},
    backend::Backend,
    bucket::{Bucket, BucketConfig, BucketInfo},
    clock::Clock,
    condition::Conditions,
    memory::Memory,
    name,
    refusal::{Kind, Refusal, Result},
};

/// All of Cloud Storage. Each call is applied whole before the next one.
#[derive(Debug, Default)]
pub struct Model {
    pub(crate) buckets: BTreeMap<String, Bucket>,
    pub(crate) clock: Clock,
    /// Copies under way, by token.
    pub(crate) pending: HashMap<String, Pending>,
    /// How many calls a copy takes at least.
    pub rewrite_calls: u64,
    /// How many bytes one call of a copy carries at most; 0: all.
    pub rewrite_step: u64,
    /// How long a name must rest between two writes of it; Cloud Storage takes about one a second, as others report
    /// (grafana/mimir#12086).
    pub write_interval: Option<Duration>,
    /// When a name was written last: bucket, name.
    pub(crate) written: HashMap<(String, String), Timestamp>,
    /// What the caller of the next call may do.
    pub access: Access,
}

/// A copy under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// From where to where: bucket, name, bucket, name.
    pub(crate) route: [String; 4],
    pub(crate) generation: i64,
    /// How many calls of it were made.
    pub(crate) calls: u64,
}

impl Model {
    /// No buckets yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, ..Self::default() }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The bucket of this name.
    pub fn bucket(&mut self, name: &str) -> Result<&mut Bucket> {
        self.buckets.get_mut(name).ok_or_else(Refusal::no_bucket)
    }

    /// The next generation of a name: later than all that it had, and than `floor`.
    pub(crate) fn next_generation(&mut self, bucket: &str, name: &str, floor: i64) -> Result<i64> {
        let last = self.bucket(bucket)?.backend.last_generation(name);
        Ok(self.clock.next(last.max(floor)))
    }

    /// Counts a write of a name, and refuses it when the last one was too short a time ago.
    pub(crate) fn count_write(&mut self, bucket: &str, name: &str) -> Result<()> {
        let Some(interval) = self.write_interval else {
            return Ok(());
        };
        let now = self.clock.now();
        let place = (bucket.to_owned(), name.to_owned());
        let is_rested = |last: &Timestamp| now.duration_since(*last).unsigned_abs() >= interval;
        if !self.written.get(&place).is_none_or(is_rested) {
            return Err(Refusal::new(
                Kind::TooManyRequests,
                format!(
                    "The object {bucket}/{name} exceeded the rate limit for object mutation operations (create, update, and \
                     delete). Please reduce your request rate. See https://cloud.google.com/storage/docs/gcs429."
                ),
            ));
        }
        self.written.retain(|_, last| !is_rested(last));
        self.written.insert(place, now);
        Ok(())
    }

    /// Adds a bucket on this backend. Its name is not checked: that is for the calls of clients.
    pub fn add_bucket(&mut self, name: &str, backend: Box<dyn Backend>) -> Result<()> {
        if self.buckets.contains_key(name) {
            return Err(Refusal::new(
                Kind::BucketExists,
                "Your previous request to create the named bucket succeeded and you already own it.",
            ));
        }
        let bucket = Bucket::new(name, self.clock.now(), backend);
        self.buckets.insert(name.to_owned(), bucket);
        Ok(())
    }

    /// Makes a bucket in memory.
    pub fn create_bucket(&mut self, name: &str, config: BucketConfig) -> Result<BucketInfo> {
        self.access.check(Permission::CreateBucket, "")?;
        name::check_bucket(name)?;
        config.check()?;
        self.add_bucket(name, Box::new(Memory::default()))?;
        let bucket = self.bucket(name)?;
        bucket.config = config;
        Ok(bucket.info())
    }

    /// A bucket, if the conditions hold.
    pub fn get_bucket(&mut self, name: &str, conditions: &Conditions) -> Result<BucketInfo> {
        self.access.check(Permission::GetBucket, "")?;
        let info = self.bucket(name)?.info();
        check_bucket_conditions(conditions)?;
        Ok(info)
    }

    /// The roles on a bucket; `None` when everybody may do everything.
    pub fn bucket_roles(&mut self, name: &str) -> Result<Option<Arc<[Role]>>> {
        self.access.check(Permission::GetPolicy, "")?;
        self.bucket(name)?;
        Ok(self.access.roles())
    }

    /// A page of buckets whose names begin with `prefix` and are not before `from`, and where the next one begins.
    pub fn list_buckets(
        &self,
        prefix: &str,
        from: &str,
        limit: usize,
    ) -> Result<(Vec<BucketInfo>, String)> {
        self.access.check(Permission::ListBuckets, "")?;
        let first = from.max(prefix).to_owned();
        let mut found = self
            .buckets
            .range(first..)
            .take_while(|(name, _)| name.starts_with(prefix))
            .map(|(_, bucket)| bucket.info());
        let page = found.by_ref().take(limit).collect();
        Ok((page, found.next().map(|bucket| bucket.name).unwrap_or_default()))
    }

    /// Deletes a bucket without objects.
    pub fn delete_bucket(&mut self, name: &str, conditions: &Conditions) -> Result<()> {
        self.access.check(Permission::DeleteBucket, "")?;
        let bucket = self.bucket(name)?;
        check_bucket_conditions(conditions)?;
        if !bucket.backend.names("", "", 1)?.is_empty() {
            return Err(Refusal::new(
                Kind::BucketNotEmpty,
                "The bucket you tried to delete is not empty.",
            ));
        }
        if !bucket.backend.is_disposable() {
            return Err(Refusal::unsupported(
                "deleting a bucket that is a directory of this machine",
            ));
        }
        self.buckets.remove(name);
        Ok(())
    }
}

/// A bucket has a metageneration and no generation.
fn check_bucket_conditions(conditions: &Conditions) -> Result<()> {
    let is = |want: i64| want == BucketInfo::METAGENERATION;
    let met = conditions.metageneration_match.is_none_or(is)
        && !conditions.metageneration_not_match.is_some_and(is);
    if met { Ok(()) } else { Err(Refusal::precondition()) }
}
