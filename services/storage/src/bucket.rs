//! The port: what the poller and the worker need of a bucket.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::{
    content::Content,
    error::Result,
    object::{Metadata, Object, Pinned},
};

/// Hands out buckets by name. Opening one does no I/O: a bucket that does not exist shows at its first call.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The bucket of this name, without `gs://`.
    fn bucket(&self, name: &str) -> Arc<dyn Bucket>;
}

/// One bucket.
///
/// Every mutation carries a generation precondition, in its signature: there is no way to write, move or delete by
/// name alone. Every call is one request to the service, retried neither here nor below: the caller has the budget
/// and knows what a repeated call means.
#[async_trait]
pub trait Bucket: fmt::Debug + Send + Sync + 'static {
    /// This bucket's name.
    fn name(&self) -> &str;

    /// One page of live objects in name order (UTF-8 bytes). Strongly consistent with earlier writes.
    async fn list(&self, request: &ListRequest) -> Result<Page>;

    /// The live generation of `name`.
    async fn get(&self, name: &str) -> Result<Object>;

    /// Creates `name`. `replaces` is the generation that must be live: 0 means that nothing may be there.
    async fn create(&self, name: &str, replaces: i64, new: NewObject) -> Result<Object>;

    /// Merges `metadata` into the custom metadata of exactly this generation and metageneration; nothing else
    /// changes. A key with an empty value is removed.
    async fn update(
        &self,
        source: Pinned<'_>,
        metageneration: i64,
        metadata: &Metadata,
    ) -> Result<Object>;

    /// Renames exactly this generation and metageneration to `destination`, where nothing may be, in one atomic step.
    /// Content and metadata are kept; the generation is a new one.
    async fn rename(
        &self,
        source: Pinned<'_>,
        metageneration: i64,
        destination: &str,
    ) -> Result<Object>;

    /// One step of copying exactly this generation to `destination` in `bucket`, where nothing may be. `metadata`,
    /// when given, is merged into what the source has. Repeat with the token until [`RewriteStep::Done`]; nothing is
    /// visible at the destination before.
    async fn rewrite(
        &self,
        source: Pinned<'_>,
        bucket: &str,
        destination: &str,
        metadata: Option<&Metadata>,
        token: Option<&str>,
    ) -> Result<RewriteStep>;

    /// Deletes the live object if it is exactly this generation. On a versioned bucket it becomes noncurrent.
    async fn delete(&self, source: Pinned<'_>) -> Result<()>;

    /// Reads exactly this generation from `offset` to its end. The stream ends with an error when it is cut.
    async fn read(
        &self,
        source: Pinned<'_>,
        offset: u64,
    ) -> Result<BoxStream<'static, Result<Bytes>>>;
}

/// Which page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListRequest {
    /// Only names that begin with this.
    pub prefix: String,
    /// No name before this; empty for all.
    pub start: String,
    /// At most this many objects, 1 to 1,000; 0 is the service's default.
    pub page_size: i32,
    /// [`Page::next`] of the page before; empty for the first.
    pub page_token: String,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In name order.
    pub objects: Vec<Object>,
    /// Where the next page begins; empty after the last one.
    pub next: String,
}

/// What to create.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewObject {
    /// The content.
    pub content: Content,
    /// The Content-Type; empty for none.
    pub content_type: String,
    /// Custom metadata.
    pub metadata: Metadata,
}

/// How far a copy got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RewriteStep {
    /// The destination exists now.
    Done(Box<Object>),
    /// Call again with this token.
    More(String),
}
