//! A bucket of as many objects as one likes, for what must not grow with them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;

use brigade_storage::{
    Bucket, ListRequest, NewObject, Page, RewriteStep, Store,
    error::{Error, Kind, Operation, Result},
    object::{Metadata, Object, Pinned},
};

/// A bucket that makes its objects while it is listed and keeps none of them, so that its own memory is none.
///
/// It can be listed, and its objects can be updated and renamed. No name is there to be read: control objects are missing.
/// Every other call is refused. It counts how many objects
/// it has shown and that were not written since: a caller that works through it holds no more than these, and a page.
#[derive(Clone, Debug)]
pub struct Synthetic {
    name: String,
    prefix: String,
    objects: u64,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    pages: AtomicU64,
    shown: AtomicU64,
    written: AtomicU64,
    most_open: AtomicU64,
}

// === impl Synthetic ===

impl Synthetic {
    /// A bucket of this name with so many objects below `prefix`.
    pub fn new(name: &str, prefix: &str, objects: u64) -> Self {
        Self { name: name.to_owned(), prefix: prefix.to_owned(), objects, counts: Arc::default() }
    }

    /// Pages that were listed.
    pub fn pages(&self) -> u64 {
        self.counts.pages.load(Ordering::Relaxed)
    }

    /// Objects that were listed.
    pub fn shown(&self) -> u64 {
        self.counts.shown.load(Ordering::Relaxed)
    }

    /// Updates and renames.
    pub fn written(&self) -> u64 {
        self.counts.written.load(Ordering::Relaxed)
    }

    /// The most objects that had been shown and not been written when another page was requested.
    pub fn most_open(&self) -> u64 {
        self.counts.most_open.load(Ordering::Relaxed)
    }

    fn object(&self, name: String, generation: i64) -> Object {
        Object {
            bucket: self.name.clone(),
            name,
            generation,
            metageneration: 1,
            size: 4096,
            content_type: "text/csv".into(),
            content_encoding: String::new(),
            cache_control: String::new(),
            storage_class: String::new(),
            custom_time: None,
            crc32c: Some(0),
            md5: None,
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            metadata: Metadata::from([("device".into(), generation.to_string())]),
            temporary_hold: false,
            event_based_hold: false,
            retention_expires: None,
        }
    }

    fn write(&self, name: &str, generation: i64) -> Object {
        self.counts.written.fetch_add(1, Ordering::Relaxed);
        self.object(name.to_owned(), generation)
    }

    fn refused<T>(&self, operation: Operation, name: &str) -> Result<T> {
        let why = "this bucket can be listed, updated and renamed in, and nothing else";
        let error = Error::new(Kind::Invalid, operation, &self.name, name, why);
        Err(error)
    }
}

/// This bucket, whatever its name.
impl Store for Synthetic {
    fn bucket(&self, _: &str) -> Arc<dyn Bucket> {
        Arc::new(self.clone())
    }
}

#[async_trait]
impl Bucket for Synthetic {
    fn name(&self) -> &str {
        &self.name
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        let counts = &self.counts;
        let open = self.shown().saturating_sub(self.written());
        counts.most_open.fetch_max(open, Ordering::Relaxed);
        counts.pages.fetch_add(1, Ordering::Relaxed);
        let (ours, theirs) = (self.prefix.as_str(), request.prefix.as_str());
        if !ours.starts_with(theirs) && !theirs.starts_with(ours) {
            return Ok(Page { objects: Vec::new(), next: String::new() });
        }
        let from: u64 = request.page_token.parse().unwrap_or(0);
        let size = u64::try_from(request.page_size).unwrap_or(0).clamp(1, 1_000);
        let to = self.objects.min(from + size);
        counts.shown.fetch_add(to - from, Ordering::Relaxed);
        let objects = (from..to).map(|n| {
            let name = format!("{}2026/11/24/device-{n:08}/night.csv", self.prefix);
            self.object(name, n.cast_signed() + 1)
        });
        Ok(Page {
            objects: objects.collect(),
            next: if to < self.objects { to.to_string() } else { String::new() },
        })
    }

    async fn update(&self, source: Pinned<'_>, _: i64, _: &Metadata) -> Result<Object> {
        Ok(self.write(source.name, source.generation))
    }

    async fn rename(&self, source: Pinned<'_>, _: i64, destination: &str) -> Result<Object> {
        Ok(self.write(destination, source.generation))
    }

    async fn get(&self, name: &str) -> Result<Object> {
        let why = "this bucket has no control object";
        Err(Error::new(Kind::NotFound, Operation::Get, &self.name, name, why))
    }

    async fn create(&self, name: &str, _: i64, _: NewObject) -> Result<Object> {
        self.refused(Operation::Create, name)
    }

    async fn rewrite(
        &self,
        source: Pinned<'_>,
        _: &str,
        _: &str,
        _: Option<&Metadata>,
        _: Option<&str>,
    ) -> Result<RewriteStep> {
        self.refused(Operation::Rewrite, source.name)
    }

    async fn delete(&self, source: Pinned<'_>) -> Result<()> {
        self.refused(Operation::Delete, source.name)
    }

    async fn read(&self, source: Pinned<'_>, _: u64) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.refused(Operation::Read, source.name)
    }
}
