//! Downloads: one generation, from an offset, never resumed and never checked here.

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use google_cloud_gax::error::Error as ClientError;
use google_cloud_storage::{
    client::Storage, model_ext::ReadRange, read_object::ReadObjectResponse,
    read_resume_policy::NeverResume,
};

use super::call::Call;
use crate::{
    error::{Kind, Operation, Result},
    object::Pinned,
};

/// Begins to read exactly this generation. The bytes are those stored, never decompressed.
pub(super) async fn open(
    data: &Storage,
    bucket: &str,
    call: Call<'_>,
    source: Pinned<'_>,
    offset: u64,
) -> Result<BoxStream<'static, Result<Bytes>>> {
    let answer = data
        .read_object(bucket, source.name)
        .set_generation(source.generation)
        .set_read_range(ReadRange::offset(offset))
        .compute_crc32c(false)
        .with_automatic_decompression(false)
        .with_read_resume_policy(NeverResume)
        .send();
    // Outside of `ask`, which would lose the client's own error: the end of an object is told by one.
    let answer = call.ask(Box::pin(async { Ok(answer.await) })).await?;
    match answer {
        Ok(response) if response.object().generation == source.generation => {
            Ok(Reading::new(call, response).into_stream())
        }
        Ok(_) => Err(call.failed(Kind::Precondition, "another generation was served")),
        Err(error) if begins_at_the_end(&error, offset) => Ok(stream::empty().boxed()),
        Err(error) => Err(super::status::error(call, error)),
    }
}

/// Whether a range was refused only because it begins right after the last byte: there is nothing left to read, which
/// is no error. HTTP says so with 416 and `Content-Range: bytes */SIZE` (RFC 9110, 15.5.17).
fn begins_at_the_end(error: &ClientError, offset: u64) -> bool {
    let size = error
        .http_headers()
        .and_then(|headers| headers.get("content-range"))
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("bytes */"))
        .and_then(|size| size.parse::<u64>().ok());
    error.http_status_code() == Some(416) && size == Some(offset)
}

/// A download under way. It owns its names, since the stream outlives the call.
struct Reading {
    bucket: String,
    name: String,
    response: ReadObjectResponse,
}

impl Reading {
    fn new(call: Call<'_>, response: ReadObjectResponse) -> Self {
        Self {
            bucket: call.bucket.to_owned(),
            name: call.name.to_owned(),
            response,
        }
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
        let call = Call {
            operation: Operation::Read,
            bucket: &self.bucket,
            name: &self.name,
        };
        let response = &mut self.response;
        call.ask(async { response.next().await.transpose() }).await
    }
}

#[cfg(test)]
mod tests {
    use google_cloud_storage::http::HeaderMap;

    use super::*;

    fn refused(status: u16, range: Option<&str>) -> ClientError {
        let mut headers = HeaderMap::new();
        if let Some(range) = range {
            headers.insert("content-range", range.parse().unwrap());
        }
        ClientError::http(status, headers, Bytes::new())
    }

    #[test]
    fn only_a_range_that_begins_at_the_end_reads_as_nothing() {
        assert!(begins_at_the_end(&refused(416, Some("bytes */5")), 5));
        assert!(!begins_at_the_end(&refused(416, Some("bytes */4")), 5));
        assert!(!begins_at_the_end(&refused(416, None), 5));
        assert!(!begins_at_the_end(&refused(404, Some("bytes */5")), 5));
    }
}
