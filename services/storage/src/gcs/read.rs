//! Downloads: one generation, from an offset, never resumed and never checked here.

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use google_cloud_storage::{
    client::Storage, model_ext::ReadRange, read_object::ReadObjectResponse,
    read_resume_policy::NeverResume,
};

use super::call::Call;
use crate::{
    error::{Error, Kind, Operation, Result},
    object::Pinned,
};

/// HTTP 416: the range begins at the end of the object or after it.
const RANGE_NOT_SATISFIABLE: u16 = 416;

/// How a download begins.
pub(super) enum Opened {
    /// With bytes to come.
    Stream(BoxStream<'static, Result<Bytes>>),
    /// The service reports no bytes at or after the offset.
    NothingThere(Error),
}

/// Begins to read exactly this generation. The bytes are those stored, never decompressed.
pub(super) async fn open(
    data: &Storage,
    bucket: &str,
    call: Call<'_>,
    source: Pinned<'_>,
    offset: u64,
) -> Result<Opened> {
    let answer = data
        .read_object(bucket, source.name)
        .set_generation(source.generation)
        .set_read_range(ReadRange::offset(offset))
        .compute_crc32c(false)
        .with_automatic_decompression(false)
        .with_read_resume_policy(NeverResume)
        .send();
    // The answer is not judged by `ask`, because one status is no failure yet.
    match call.ask(Box::pin(async { Ok(answer.await) })).await? {
        Ok(response) if response.object().generation == source.generation => {
            Ok(Opened::Stream(Reading::new(call, response).into_stream()))
        }
        Ok(_) => Err(call.failed(Kind::Precondition, "another generation was served")),
        Err(error) if error.http_status_code() == Some(RANGE_NOT_SATISFIABLE) => {
            Ok(Opened::NothingThere(call.failed_by(error)))
        }
        Err(error) => Err(call.failed_by(error)),
    }
}

/// A download under way. It owns its names, since the stream outlives the call.
struct Reading {
    bucket: String,
    name: String,
    response: ReadObjectResponse,
}

impl Reading {
    fn new(call: Call<'_>, response: ReadObjectResponse) -> Self {
        Self { bucket: call.bucket.to_owned(), name: call.name.to_owned(), response }
    }

    /// The stream ends after its first error.
    fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        stream::try_unfold(self, |mut reading| async move {
            let chunk = reading.next().await?;
            Ok(chunk.map(|chunk| (chunk, reading)))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        let call = Call { operation: Operation::Read, bucket: &self.bucket, name: &self.name };
        let response = &mut self.response;
        call.ask(async { response.next().await.transpose() }).await
    }
}
