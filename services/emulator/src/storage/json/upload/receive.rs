//! Takes in the body of an upload while it arrives: never more than a piece of it is in memory, when the bucket has files.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;

use crate::storage::json::body::broke_off;
use brigade_model::{Content, Digest, Draft, Kind, Refusal, Result};

/// The content of one upload. Clones are the same: a request that ends while its bytes are being written loses none.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    draft: Arc<Mutex<Draft>>,
}

impl Receiver {
    pub(super) fn new(draft: Draft) -> Self {
        Self { draft: Arc::new(Mutex::new(draft)) }
    }

    /// How many bytes have arrived.
    pub(super) fn size(&self) -> u64 {
        self.lock().size()
    }

    /// Takes bytes.
    pub(super) async fn push(&self, bytes: &[u8]) -> Result<()> {
        if self.lock().push(bytes) { self.on_disk(Draft::settle).await } else { Ok(()) }
    }

    /// Takes a body to its end.
    pub(super) async fn take(&self, body: &mut Body) -> Result<()> {
        while let Some(bytes) = next(body).await? {
            self.push(&bytes).await?;
        }
        Ok(())
    }

    /// Forgets what is behind the last whole piece, but none of the first `least` bytes.
    pub(super) fn truncate(&self, least: u64) {
        self.lock().truncate(least);
    }

    /// The content, which is complete, and its digest.
    pub(super) async fn finish(&self) -> Result<(Content, Digest)> {
        self.on_disk(Draft::finish).await
    }

    async fn on_disk<T, F>(&self, call: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Draft) -> io::Result<T> + Send + 'static,
    {
        let receiver = self.clone();
        let done = tokio::task::spawn_blocking(move || call(&mut receiver.lock())).await;
        done.map_err(io::Error::from).flatten().map_err(|error| {
            Refusal::new(Kind::Internal, format!("cannot store the content of an upload: {error}"))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Draft> {
        self.draft.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next bytes of a body; none at its end.
pub(super) async fn next(body: &mut Body) -> Result<Option<Bytes>> {
    while let Some(frame) = body.frame().await {
        if let Ok(bytes) = frame.map_err(|error| broke_off(&error))?.into_data() {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}
