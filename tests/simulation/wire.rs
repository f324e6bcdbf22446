//! The storage as one poller sees it: pages of its own size, and, on request, a bug of the poller's own making.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use brigade_storage::{
    Bucket, ListRequest, Metadata, NewObject, Object, Page, Pinned, Result, RewriteStep,
};
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::planted::{Bug, Planted};

/// A bucket behind one poller's wire.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) inner: Arc<dyn Bucket>,
    pub(crate) page: i32,
    pub(crate) planted: Planted,
    pub(crate) calls: Arc<AtomicU64>,
}

// === impl Wire ===

impl Wire {
    fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Bucket for Wire {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        self.count();
        let request = ListRequest {
            page_size: request.page_size.min(self.page),
            ..request.clone()
        };
        if self.planted.is(Bug::CursorByPageNumber) {
            return self.planted.list_by_number(&*self.inner, &request).await;
        }
        self.inner.list(&request).await
    }

    async fn get(&self, name: &str) -> Result<Object> {
        self.count();
        self.planted.get(&*self.inner, name).await
    }

    async fn create(&self, name: &str, replaces: i64, new: NewObject) -> Result<Object> {
        self.count();
        self.inner.create(name, replaces, new).await
    }

    async fn update(
        &self,
        source: Pinned<'_>,
        metageneration: i64,
        metadata: &Metadata,
    ) -> Result<Object> {
        self.count();
        self.inner.update(source, metageneration, metadata).await
    }

    async fn rename(&self, source: Pinned<'_>, destination: &str) -> Result<Object> {
        self.count();
        self.planted.rename(&*self.inner, source, destination).await
    }

    async fn rewrite(
        &self,
        source: Pinned<'_>,
        bucket: &str,
        destination: &str,
        metadata: Option<&Metadata>,
        token: Option<&str>,
    ) -> Result<RewriteStep> {
        self.count();
        (self.inner)
            .rewrite(source, bucket, destination, metadata, token)
            .await
    }

    async fn delete(&self, source: Pinned<'_>) -> Result<()> {
        self.count();
        self.inner.delete(source).await
    }

    async fn read(
        &self,
        source: Pinned<'_>,
        offset: u64,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.count();
        self.inner.read(source, offset).await
    }
}
