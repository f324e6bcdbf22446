//! Reads exactly one generation, and checks what arrived.

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

use super::Job;
use crate::error::{A_MOMENT, ProcessError};

/// What a download must amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expected {
    size: u64,
    crc32c: Option<u32>,
}

/// A download under way.
struct Reading {
    chunks: BoxStream<'static, brigade_storage::Result<Bytes>>,
    place: String,
    expected: Expected,
    size: u64,
    crc32c: u32,
}

// === impl Job ===

impl Job {
    /// The content, in chunks. The last item is an error when the bytes are not those that were uploaded: their number
    /// and CRC32C are checked. So take no result for final before the stream has ended.
    ///
    /// A generation that is not there any more is [`ProcessError::superseded`].
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

    async fn read_expecting(&self, expected: Expected) -> Result<Reading, ProcessError> {
        let chunks = self.source().read(self.pinned(), 0).await?;
        Ok(Reading {
            chunks,
            place: self.place().to_string(),
            expected,
            size: 0,
            crc32c: 0,
        })
    }

    /// What the caller said of the content. One who knew no checksum may not know the size either: then the store is
    /// asked.
    async fn expected(&self) -> Result<Expected, ProcessError> {
        let object = self.object();
        if let Some(crc32c) = object.crc32c {
            return Ok(Expected {
                size: object.size.unsigned_abs(),
                crc32c: Some(crc32c),
            });
        }
        let live = self.source().get(&object.name).await?;
        if live.generation != object.generation {
            return Err(ProcessError::superseded(format!(
                "{} is of another generation now",
                self.place()
            )));
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
        let Some(chunk) = self.chunks.next().await.transpose()? else {
            return self.check().map(|()| None);
        };
        self.size += chunk.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, &chunk);
        if self.size > self.expected.size {
            return Err(self.corrupt());
        }
        Ok(Some(chunk))
    }

    fn check(&self) -> Result<(), ProcessError> {
        let same = self.expected.crc32c.is_none_or(|crc| crc == self.crc32c);
        if self.size == self.expected.size && same {
            Ok(())
        } else {
            Err(self.corrupt())
        }
    }

    /// Damaged on its way, most likely: another read may well be whole.
    fn corrupt(&self) -> ProcessError {
        let Expected { size, crc32c } = self.expected;
        ProcessError::retry_after(
            A_MOMENT,
            format!(
                "{}: {} bytes with CRC32C {:08x} arrived, {size} with {:08x} were uploaded",
                self.place,
                self.size,
                self.crc32c,
                crc32c.unwrap_or_default()
            ),
        )
    }
}
