//! Reads exactly one generation, goes on where a connection was cut, and checks what arrived.

use std::{sync::Arc, time::Duration};

use brigade_proto::v1::Object;
use brigade_storage::{Bucket, Error, ObjectRef, Pinned};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use tokio::time::sleep;

use super::{Job, progress::Progress};
use crate::error::{A_MOMENT, ProcessError};

/// How often in a row a download is taken up again without a single byte more.
const TRIES: u32 = 5;
/// The pause before the first of them; it doubles each time.
const PAUSE: Duration = Duration::from_millis(100);

/// What a download must amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expected {
    size: u64,
    crc32c: Option<u32>,
}

/// A download under way. It owns what it needs, since the stream outlives the call.
struct Reading {
    source: Arc<dyn Bucket>,
    object: Object,
    expected: Expected,
    progress: Arc<Progress>,
    /// None between a cut and the next try.
    chunks: Option<BoxStream<'static, brigade_storage::Result<Bytes>>>,
    size: u64,
    crc32c: u32,
    /// Tries in a row that brought nothing.
    fruitless: u32,
}

// === impl Job ===

impl Job {
    /// The content, in chunks. The last item is an error when the bytes are not those that were uploaded: their number
    /// and CRC32C are checked. So take no result for final before the stream has ended.
    ///
    /// A connection that is cut is taken up again where it was, as long as it brings more bytes each time. A generation
    /// that is not there any more, or that is replaced meanwhile, is [`ProcessError::superseded`]. Content that is
    /// longer than the worker takes (`BRIGADE_MAX_SIZE`) is refused before it is read.
    pub async fn read(
        &self,
    ) -> Result<BoxStream<'static, Result<Bytes, ProcessError>>, ProcessError> {
        let expected = self.expected().await?;
        Ok(self.read_expecting(expected).await?.into_stream())
    }

    /// The whole content, checked. One that is longer than `limit` bytes is refused before it is read.
    pub async fn bytes(&self, limit: u64) -> Result<Bytes, ProcessError> {
        let expected = self.expected().await?;
        if expected.size > limit {
            return Err(ProcessError::refuse(format!(
                "it has {} bytes, and {limit} are read at most",
                expected.size
            )));
        }
        let reading = self.read_expecting(expected).await?;
        let whole =
            reading
                .into_stream()
                .try_fold(BytesMut::new(), |mut whole, chunk| async move {
                    whole.extend_from_slice(&chunk);
                    Ok(whole)
                });
        Ok(whole.await?.freeze())
    }

    /// The first bytes are asked for at once, so that an object that is gone is told before anything else is done.
    async fn read_expecting(&self, expected: Expected) -> Result<Reading, ProcessError> {
        let mut reading = Reading {
            source: self.source(),
            object: self.object().clone(),
            expected,
            progress: Arc::clone(&self.progress),
            chunks: None,
            size: 0,
            crc32c: 0,
            fruitless: 0,
        };
        while reading.chunks.is_none() {
            reading.open().await?;
        }
        Ok(reading)
    }

    async fn expected(&self) -> Result<Expected, ProcessError> {
        let expected = self.stated().await?;
        match self.max_size {
            Some(max) if expected.size > max => Err(ProcessError::refuse(format!(
                "it has {} bytes, and this worker takes {max} at most (BRIGADE_MAX_SIZE)",
                expected.size
            ))),
            _ => Ok(expected),
        }
    }

    /// What the caller said of the content. One who knew no checksum may not know the size either: then the store is
    /// asked.
    async fn stated(&self) -> Result<Expected, ProcessError> {
        let object = self.object();
        if let Some(crc32c) = object.crc32c {
            return Ok(Expected {
                size: object.size.unsigned_abs(),
                crc32c: Some(crc32c),
            });
        }
        let live = self.source().get(&object.name).await?;
        if live.generation != object.generation {
            return Err(replaced(object));
        }
        Ok(Expected {
            size: live.size,
            crc32c: live.crc32c,
        })
    }
}

// === impl Reading ===

impl Reading {
    fn into_stream(self) -> BoxStream<'static, Result<Bytes, ProcessError>> {
        stream::try_unfold(self, |mut reading| async move {
            Ok(reading.next().await?.map(|chunk| (chunk, reading)))
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
                Some(Ok(chunk)) => return self.take(chunk).await.map(Some),
                Some(Err(error)) => self.cut(error).await?,
                // A stream may also end early without a word; what is missing is asked for once more.
                None if self.size < self.expected.size && self.fruitless == 0 => {
                    self.chunks = None;
                    self.fruitless = 1;
                }
                None => return self.check().await.map(|()| None),
            }
        }
    }

    async fn take(&mut self, chunk: Bytes) -> Result<Bytes, ProcessError> {
        self.size += chunk.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, &chunk);
        if !chunk.is_empty() {
            self.fruitless = 0;
        }
        self.progress.read(self.size, self.expected.size);
        if self.size > self.expected.size {
            return Err(self.other_content().await);
        }
        Ok(chunk)
    }

    /// Asks for everything from here to the end.
    async fn open(&mut self) -> Result<(), ProcessError> {
        let source = Pinned {
            name: &self.object.name,
            generation: self.object.generation,
        };
        match self.source.read(source, self.size).await {
            Ok(chunks) => {
                self.chunks = Some(chunks);
                Ok(())
            }
            Err(error) => self.cut(error).await,
        }
    }

    /// Waits before the next try, or gives up: at once for what time does not heal.
    async fn cut(&mut self, error: Error) -> Result<(), ProcessError> {
        self.chunks = None;
        if !error.is_transient() || self.fruitless >= TRIES {
            return Err(error.into());
        }
        tracing::debug!(%error, at = self.size, "a download was cut, and goes on");
        sleep(PAUSE * 2_u32.pow(self.fruitless)).await;
        self.fruitless += 1;
        Ok(())
    }

    async fn check(&mut self) -> Result<(), ProcessError> {
        let same = self.expected.crc32c.is_none_or(|crc| crc == self.crc32c);
        if self.size == self.expected.size && same {
            Ok(())
        } else {
            Err(self.other_content().await)
        }
    }

    /// Other bytes than were uploaded: either the object was replaced under our hands, which is no damage, or they were
    /// damaged on their way, and another read may well be whole.
    async fn other_content(&mut self) -> ProcessError {
        match self.source.get(&self.object.name).await {
            Ok(live) if live.generation != self.object.generation => replaced(&self.object),
            Err(error) if error.is_not_found() => error.into(),
            Ok(_) | Err(_) => self.corrupt(),
        }
    }

    fn corrupt(&self) -> ProcessError {
        let Expected { size, crc32c } = self.expected;
        ProcessError::retry_after(
            A_MOMENT,
            format!(
                "{}: {} bytes with CRC32C {:08x} arrived, {size} with {:08x} were uploaded",
                place(&self.object),
                self.size,
                self.crc32c,
                crc32c.unwrap_or_default()
            ),
        )
    }
}

fn replaced(object: &Object) -> ProcessError {
    ProcessError::superseded(format!("{} is of another generation now", place(object)))
}

fn place(object: &Object) -> ObjectRef<'_> {
    ObjectRef {
        bucket: &object.bucket,
        name: &object.name,
    }
}
