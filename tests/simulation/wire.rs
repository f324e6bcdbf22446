//! The storage as one poller, or one worker, sees it: pages of its own size, and, on request, a bug of the poller's own making.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use brigade_poller::filter::CONTROL_PREFIX;
use brigade_sim::Sim;
use brigade_storage::{
    Bucket, Error, ListRequest, Metadata, NewObject, Object, Page, Pinned, Result, RewriteStep,
    Store,
};
use bytes::Bytes;
use futures::stream::BoxStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    heard::Key,
    planted::{Bug, Planted},
};

/// A call that takes longer may cost a worker all the time that it has to remove outputs.
const LATE: Duration = Duration::from_secs(1);

/// The store behind the wires of one process.
#[derive(Debug)]
pub(crate) struct Wires {
    pub(crate) page: i32,
    pub(crate) planted: Planted,
    pub(crate) sim: Sim,
    pub(crate) counts: Arc<Mutex<Counts>>,
    /// The process is gone: no answer reaches it, and it calls no more.
    pub(crate) dead: CancellationToken,
    /// The object that a worker works on; nothing behind a poller's.
    pub(crate) writer: Option<Key>,
}

impl Store for Wires {
    fn bucket(&self, name: &str) -> Arc<dyn Bucket> {
        Arc::new(Wire {
            inner: self.sim.bucket(name),
            page: self.page,
            planted: self.planted,
            sim: self.sim.clone(),
            counts: self.counts.clone(),
            dead: self.dead.clone(),
            writer: self.writer.clone(),
        })
    }
}

/// A bucket behind one process's wire.
#[derive(Debug)]
struct Wire {
    inner: Arc<dyn Bucket>,
    page: i32,
    planted: Planted,
    /// What a poller can do that goes round the port, for bugs that do.
    sim: Sim,
    counts: Arc<Mutex<Counts>>,
    dead: CancellationToken,
    writer: Option<Key>,
}

/// How many calls were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Of all kinds.
    pub(crate) calls: u64,
    /// Those about the lease.
    pub(crate) lease: u64,
    /// Listings.
    pub(crate) lists: u64,
    /// Those that the end of the process cut off.
    pub(crate) cut: u64,
    /// Those that storage failed, or answered late.
    pub(crate) failed: u64,
    /// Copies that were not done after this call.
    pub(crate) more: u64,
}

// === impl Wire ===

impl Wire {
    fn count(&self, name: &str) {
        let mut counts = self.counts();
        counts.calls += 1;
        counts.lease += u64::from(name.starts_with(CONTROL_PREFIX));
    }

    /// A call by a process that lives, and hears the answer if it still does.
    async fn call<T>(&self, name: &str, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        if !self.dead.is_cancelled() {
            self.count(name);
            let waits = Waits { counts: &self.counts, since: Instant::now() };
            let answer = call.await;
            if !self.dead.is_cancelled() {
                drop(waits);
                self.counts().failed += u64::from(answer.as_ref().is_err_and(is_failure));
                return answer;
            }
        }
        self.counts().cut += 1;
        std::future::pending().await
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that waits for its answer, whether its caller waits as long or not.
struct Waits<'a> {
    counts: &'a Mutex<Counts>,
    since: Instant,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if self.since.elapsed() > LATE {
            self.counts.lock().unwrap_or_else(PoisonError::into_inner).failed += 1;
        }
    }
}

/// Whether storage failed, rather than said what is there.
fn is_failure(error: &Error) -> bool {
    !error.is_not_found() && !error.is_precondition()
}

#[async_trait]
impl Bucket for Wire {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        let request =
            ListRequest { page_size: request.page_size.min(self.page), ..request.clone() };
        if self.planted.is(Bug::CursorByPageNumber) {
            return self.planted.list_by_number(&*self.inner, &request).await;
        }
        self.counts().lists += 1;
        self.call("", self.inner.list(&request)).await
    }

    async fn get(&self, name: &str) -> Result<Object> {
        match &self.writer {
            Some(key) => {
                self.call(name, self.planted.look(&self.sim, &*self.inner, key, name)).await
            }
            None => self.call(name, self.planted.get(&*self.inner, name)).await,
        }
    }

    async fn create(&self, name: &str, replaces: i64, new: NewObject) -> Result<Object> {
        self.planted.before_create(name, replaces).await;
        let replaces = match &self.writer {
            Some(_) => self.planted.replaces(&self.sim, self.name(), name, replaces),
            None => replaces,
        };
        self.call(name, self.inner.create(name, replaces, new)).await
    }

    async fn update(
        &self,
        source: Pinned<'_>,
        metageneration: i64,
        metadata: &Metadata,
    ) -> Result<Object> {
        let metadata = self.planted.marks(metadata);
        self.call(source.name, self.inner.update(source, metageneration, &metadata)).await
    }

    async fn rename(
        &self,
        source: Pinned<'_>,
        metageneration: i64,
        destination: &str,
    ) -> Result<Object> {
        let planted = self.planted;
        let rename = planted.rename(&*self.inner, source, metageneration, destination);
        self.call(source.name, rename).await
    }

    async fn rewrite(
        &self,
        source: Pinned<'_>,
        bucket: &str,
        destination: &str,
        metadata: Option<&Metadata>,
        token: Option<&str>,
    ) -> Result<RewriteStep> {
        let rewrite = (self.inner).rewrite(source, bucket, destination, metadata, token);
        let step = self.call(source.name, rewrite).await?;
        self.counts().more += u64::from(matches!(step, RewriteStep::More(_)));
        Ok(step)
    }

    async fn delete(&self, source: Pinned<'_>) -> Result<()> {
        if self.writer.is_some() && self.planted.is(Bug::LeavesOutputs) {
            return Ok(());
        }
        self.call(source.name, self.planted.delete(&*self.inner, &self.sim, source)).await
    }

    async fn read(
        &self,
        source: Pinned<'_>,
        offset: u64,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        self.call(source.name, self.inner.read(source, offset)).await
    }
}
