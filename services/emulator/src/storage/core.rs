//! The buckets, and what can be done with a bucket itself. What can be done with objects is in the files beside this.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    time::Duration,
};

use super::{
    access::{Access, Permission},
    bucket::{Bucket, BucketInfo},
    clock::Clock,
    condition::Conditions,
    directory::Directory,
    medium::Medium,
    memory::Memory,
    name,
    refusal::{Kind, Refusal, Result},
    rewriting::Pending,
};
use crate::error::StartError;

/// All of storage: one lock around it makes each call atomic.
#[derive(Debug, Default)]
pub(crate) struct Core {
    pub(super) buckets: BTreeMap<String, Bucket>,
    pub(super) clock: Clock,
    /// Copies under way, by token.
    pub(super) pending: HashMap<String, Pending>,
    /// How many calls a copy takes at least.
    pub(super) rewrite_calls: u64,
    /// What the caller of the call that holds the lock may do.
    pub(super) access: Access,
}

impl Core {
    pub(super) fn bucket(&mut self, name: &str) -> Result<&mut Bucket> {
        self.buckets.get_mut(name).ok_or_else(Refusal::no_bucket)
    }

    /// Adds a bucket on this medium.
    pub(crate) fn add_bucket(&mut self, name: &str, medium: Box<dyn Medium>) -> Result<()> {
        name::check_bucket(name)?;
        if self.buckets.contains_key(name) {
            return Err(Refusal::new(
                Kind::BucketExists,
                "Your previous request to create the named bucket succeeded and you already own it.",
            ));
        }
        self.buckets
            .insert(name.to_owned(), Bucket::new(name, medium));
        Ok(())
    }

    /// Opens a bucket on a directory, or makes one in memory.
    pub(crate) fn open(&mut self, name: &str, path: Option<&Path>) -> Result<(), StartError> {
        let medium: Box<dyn Medium> = match path {
            Some(path) => Box::new(Directory::open(name, path)?),
            None => Box::new(Memory::default()),
        };
        self.add_bucket(name, medium)
            .map_err(|refusal| StartError::Bucket {
                bucket: name.to_owned(),
                refusal,
            })
    }

    /// Makes a bucket in memory.
    pub(crate) fn create_bucket(
        &mut self,
        name: &str,
        retention: Option<Duration>,
    ) -> Result<BucketInfo> {
        self.access.check(Permission::CreateBucket, "")?;
        self.add_bucket(name, Box::new(Memory::default()))?;
        let bucket = self.bucket(name)?;
        bucket.retention = retention;
        Ok(bucket.info())
    }

    pub(crate) fn get_bucket(&mut self, name: &str, conditions: &Conditions) -> Result<BucketInfo> {
        self.access.check(Permission::GetBucket, "")?;
        let info = self.bucket(name)?.info();
        check_bucket_conditions(conditions)?;
        Ok(info)
    }

    /// A page of buckets whose names begin with `prefix` and are not before `from`, and where the next one begins.
    pub(crate) fn list_buckets(
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
        Ok((
            page,
            found.next().map(|bucket| bucket.name).unwrap_or_default(),
        ))
    }

    pub(crate) fn delete_bucket(&mut self, name: &str, conditions: &Conditions) -> Result<()> {
        self.access.check(Permission::DeleteBucket, "")?;
        let bucket = self.bucket(name)?;
        check_bucket_conditions(conditions)?;
        if !bucket.medium.names("", "", 1)?.is_empty() {
            return Err(Refusal::new(
                Kind::BucketNotEmpty,
                "The bucket you tried to delete is not empty.",
            ));
        }
        if !bucket.medium.is_disposable() {
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
    if met {
        Ok(())
    } else {
        Err(Refusal::precondition())
    }
}
