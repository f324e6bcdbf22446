//! The port over the simulation: each call meets its fault, if it has one.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::{task::yield_now, time::sleep};

use super::{
    Inner,
    fault::Fault,
    history::Actor,
    state::{Copy, Request, State},
};
use brigade_storage::{
    Bucket, ListRequest, NewObject, Page, RewriteStep,
    error::{Error, Kind, Operation, Result},
    object::{Metadata, Object, Pinned},
};

/// How much of a download comes at once, in bytes.
const CHUNK: usize = 64 * 1_024;

/// One simulated bucket.
pub(super) struct SimBucket {
    inner: Arc<Inner>,
    name: String,
    by: Actor,
}

// === impl SimBucket ===

impl SimBucket {
    pub(super) fn new(inner: Arc<Inner>, name: &str, by: Actor) -> Self {
        Self { inner, name: name.to_owned(), by }
    }

    /// One call: counted, then faulty or not.
    async fn call<T>(
        &self,
        operation: Operation,
        name: &str,
        act: impl FnOnce(&mut State, Request<'_>) -> Result<T>,
    ) -> Result<T> {
        let fault = self.begin(operation, name);
        self.meet(fault, operation, name, act).await
    }

    fn begin(&self, operation: Operation, name: &str) -> Option<Fault> {
        self.inner.faults().begin(operation, &self.name, name)
    }

    async fn meet<T>(
        &self,
        fault: Option<Fault>,
        operation: Operation,
        name: &str,
        act: impl FnOnce(&mut State, Request<'_>) -> Result<T>,
    ) -> Result<T> {
        yield_now().await;
        match &fault {
            Some(Fault::Before(kind)) => return Err(self.failed(operation, name, kind.clone())),
            Some(Fault::Delay(time)) => sleep(*time).await,
            _ => {}
        }
        let answer = self.apply(operation, name, act);
        match fault {
            Some(Fault::AppliedThenLost | Fault::Cut(_)) => {
                return Err(self.failed(operation, name, Kind::Unknown));
            }
            Some(Fault::AppliedThenDelay(time)) => sleep(time).await,
            _ => {}
        }
        yield_now().await;
        answer
    }

    fn apply<T>(
        &self,
        operation: Operation,
        name: &str,
        act: impl FnOnce(&mut State, Request<'_>) -> Result<T>,
    ) -> Result<T> {
        let request = Request {
            operation,
            bucket: &self.name,
            name,
            by: self.by,
            now: self.inner.clock.now(),
        };
        act(&mut self.inner.state(), request)
    }

    fn failed(&self, operation: Operation, name: &str, kind: Kind) -> Error {
        Error::new(kind, operation, &self.name, name, "an injected fault")
    }

    /// The content in chunks, cut after so many bytes if it is to be.
    fn stream(
        &self,
        name: &str,
        content: &Bytes,
        cut: Option<u64>,
    ) -> BoxStream<'static, Result<Bytes>> {
        let whole = content.len();
        let kept =
            cut.map_or(whole, |cut| usize::try_from(cut).map_or(whole, |cut| cut.min(whole)));
        let content = content.slice(..kept);
        let mut pieces: Vec<Result<Bytes>> = (0..kept)
            .step_by(CHUNK)
            .map(|at| Ok(content.slice(at..kept.min(at + CHUNK))))
            .collect();
        if cut.is_some() {
            pieces.push(Err(self.failed(Operation::Read, name, Kind::Unknown)));
        }
        stream::iter(pieces)
            .then(|piece| async {
                yield_now().await;
                piece
            })
            .boxed()
    }
}

#[async_trait]
impl Bucket for SimBucket {
    fn name(&self) -> &str {
        &self.name
    }

    async fn list(&self, request: &ListRequest) -> Result<Page> {
        self.call(Operation::List, "", |state, at| state.list(at, request)).await
    }

    async fn get(&self, name: &str) -> Result<Object> {
        self.call(Operation::Get, name, State::get).await
    }

    async fn create(&self, name: &str, replaces: i64, mut new: NewObject) -> Result<Object> {
        let content = new.content.into_bytes().await.map_err(|error| {
            Error::new(
                Kind::Invalid,
                Operation::Create,
                &self.name,
                name,
                "the file cannot be read",
            )
            .with_source(error)
        })?;
        new.content = content.into();
        self.call(Operation::Create, name, |state, at| state.create(at, Some(replaces), new)).await
    }

    async fn update(
        &self,
        source: Pinned<'_>,
        metageneration: i64,
        metadata: &Metadata,
    ) -> Result<Object> {
        self.call(Operation::Update, source.name, |state, at| {
            state.update(at, source.generation, metageneration, metadata)
        })
        .await
    }

    async fn rename(
        &self,
        source: Pinned<'_>,
        metageneration: i64,
        destination: &str,
    ) -> Result<Object> {
        self.call(Operation::Move, source.name, |state, at| {
            state.rename(at, source, metageneration, destination)
        })
        .await
    }

    async fn rewrite(
        &self,
        source: Pinned<'_>,
        bucket: &str,
        destination: &str,
        metadata: Option<&Metadata>,
        token: Option<&str>,
    ) -> Result<RewriteStep> {
        let copy =
            Copy { generation: source.generation, bucket, name: destination, metadata, token };
        self.call(Operation::Rewrite, source.name, |state, at| state.rewrite(at, copy)).await
    }

    async fn delete(&self, source: Pinned<'_>) -> Result<()> {
        self.call(Operation::Delete, source.name, |state, at| {
            state.delete(at, Some(source.generation))
        })
        .await
    }

    async fn read(
        &self,
        source: Pinned<'_>,
        offset: u64,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let fault = self.begin(Operation::Read, source.name);
        let (cut, fault) = match fault {
            Some(Fault::Cut(bytes)) => (Some(bytes), None),
            fault => (None, fault),
        };
        let content = self
            .meet(fault, Operation::Read, source.name, |state, at| {
                state.read(at, source.generation, offset)
            })
            .await?;
        Ok(self.stream(source.name, &content, cut))
    }
}

impl fmt::Debug for SimBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimBucket").field("name", &self.name).finish_non_exhaustive()
    }
}
