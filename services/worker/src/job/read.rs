//! Reads exactly one generation, resumes where a connection was cut, and checks the content.

use std::{sync::Arc, time::Duration};

use brigade_proto::v1::Object;
use brigade_storage::{Bucket, Error, Pinned};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt as _};
use tokio::time::sleep;

use super::{Job, object_ref, progress::Progress};
use crate::error::{DEFAULT_RETRY_AFTER, ProcessError};

/// How often in a row a download resumes without a single new byte.
const MAX_STALLED: u32 = 5;
/// The pause before the first resumption; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What a download must amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expected {
    size: u64,
    crc32c: Option<u32>,
}

/// A download in progress. It owns its data, since the stream outlives the call.
struct Download {
    source: Arc<dyn Bucket>,
    object: Object,
    expected: Expected,
    progress: Arc<Progress>,
    /// None between a cut and the next attempt.
    chunks: Option<BoxStream<'static, brigade_storage::Result<Bytes>>>,
    size: u64,
    crc32c: u32,
    /// Attempts in a row without a new byte.
    stalled: u32,
}

// === impl Job ===

impl Job {
    /// The content, in chunks. Its size and CRC32C are checked: the last item is an error when the bytes are not those that
    /// were uploaded. So no result is final before the stream has ended.
    ///
    /// After a cut connection the download resumes, as long as each attempt brings more bytes. A generation that was deleted
    /// or replaced is [`ProcessError::superseded`]. Content over the worker's limit (`BRIGADE_MAX_SIZE`) is refused unread.
    pub async fn read(
        &self,
    ) -> Result<BoxStream<'static, Result<Bytes, ProcessError>>, ProcessError> {
        let expected = self.expected().await?;
        Ok(self.read_expecting(expected).await?.into_stream())
    }

    /// The whole content, checked. Content over `limit` bytes is refused unread.
    pub async fn bytes(&self, limit: u64) -> Result<Bytes, ProcessError> {
        let expected = self.expected().await?;
        if expected.size > limit {
            return Err(ProcessError::refuse(format!(
                "the object has {} bytes; the limit is {limit}",
                expected.size
            )));
        }
        let mut download = self.read_expecting(expected).await?;
        let mut whole = BytesMut::new();
        while let Some(chunk) = download.next().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// Opens the stream at once, so that a missing object is reported before any other work.
    async fn read_expecting(&self, expected: Expected) -> Result<Download, ProcessError> {
        let mut download = Download {
            source: self.source(),
            object: self.object().clone(),
            expected,
            progress: Arc::clone(&self.context.progress),
            chunks: None,
            size: 0,
            crc32c: 0,
            stalled: 0,
        };
        while download.chunks.is_none() {
            download.open().await?;
        }
        Ok(download)
    }

    async fn expected(&self) -> Result<Expected, ProcessError> {
        let expected = self.announced().await?;
        match self.context.max_size {
            Some(max) if expected.size > max => Err(ProcessError::refuse(format!(
                "the object has {} bytes; the limit of this worker is {max} (BRIGADE_MAX_SIZE)",
                expected.size
            ))),
            _ => Ok(expected),
        }
    }

    /// The size and checksum in the request. A request without a checksum may lack the size too: then storage is asked.
    async fn announced(&self) -> Result<Expected, ProcessError> {
        let object = self.object();
        if let Some(crc32c) = object.crc32c {
            return Ok(Expected { size: object.size.unsigned_abs(), crc32c: Some(crc32c) });
        }
        let live = self.source().get(&object.name).await?;
        if live.generation != object.generation {
            return Err(replaced(object));
        }
        Ok(Expected { size: live.size, crc32c: live.crc32c })
    }
}

// === impl Download ===

impl Download {
    fn into_stream(self) -> BoxStream<'static, Result<Bytes, ProcessError>> {
        stream::try_unfold(self, |mut download| async move {
            Ok(download.next().await?.map(|chunk| (chunk, download)))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ProcessError> {
        loop {
            let Some(chunks) = &mut self.chunks else {
                self.open().await?;
                continue;
            };
            match chunks.next().await {
                Some(Ok(chunk)) => return self.accept(chunk).await.map(Some),
                Some(Err(error)) => self.pause_after(error).await?,
                // A stream may also end early without an error; the rest is requested once more.
                None if self.size < self.expected.size && self.stalled == 0 => {
                    self.chunks = None;
                    self.stalled = 1;
                }
                None => return self.check().await.map(|()| None),
            }
        }
    }

    async fn accept(&mut self, chunk: Bytes) -> Result<Bytes, ProcessError> {
        self.size += chunk.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, &chunk);
        if !chunk.is_empty() {
            self.stalled = 0;
        }
        self.progress.read(self.size, self.expected.size);
        if self.size > self.expected.size {
            return Err(self.content_mismatch().await);
        }
        Ok(chunk)
    }

    /// Requests everything from here to the end.
    async fn open(&mut self) -> Result<(), ProcessError> {
        let source = Pinned { name: &self.object.name, generation: self.object.generation };
        match self.source.read(source, self.size).await {
            Ok(chunks) => {
                self.chunks = Some(chunks);
                Ok(())
            }
            Err(error) => self.pause_after(error).await,
        }
    }

    /// Waits before the next attempt, or fails: at once for an error that is not transient.
    async fn pause_after(&mut self, error: Error) -> Result<(), ProcessError> {
        self.chunks = None;
        if !error.is_transient() || self.stalled >= MAX_STALLED {
            return Err(error.into());
        }
        tracing::debug!(%error, at = self.size, "a download was cut and resumes");
        sleep(FIRST_PAUSE * 2_u32.pow(self.stalled)).await;
        self.stalled += 1;
        Ok(())
    }

    async fn check(&mut self) -> Result<(), ProcessError> {
        let same = self.expected.crc32c.is_none_or(|crc| crc == self.crc32c);
        if self.size == self.expected.size && same {
            Ok(())
        } else {
            Err(self.content_mismatch().await)
        }
    }

    /// The error for content that differs from the upload: the object was replaced meanwhile, or the bytes were damaged on
    /// their way, and another read may succeed.
    async fn content_mismatch(&mut self) -> ProcessError {
        match self.source.get(&self.object.name).await {
            Ok(live) if live.generation != self.object.generation => replaced(&self.object),
            Err(error) if error.is_not_found() => error.into(),
            Ok(_) | Err(_) => self.damaged(),
        }
    }

    fn damaged(&self) -> ProcessError {
        let Expected { size, crc32c } = self.expected;
        let (object, read, read_crc) = (object_ref(&self.object), self.size, self.crc32c);
        let crc = crc32c.unwrap_or_default();
        let message = format!(
            "{object}: read {read} bytes with CRC32C {read_crc:08x}; {size} bytes with {crc:08x} were uploaded"
        );
        ProcessError::retry_after(DEFAULT_RETRY_AFTER, message)
    }
}

fn replaced(object: &Object) -> ProcessError {
    let object = object_ref(object);
    ProcessError::superseded(format!("{object} was replaced: it has another generation now"))
}
