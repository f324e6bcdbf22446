//! One object to process.

use std::{path::Path, sync::Arc, time::Duration};

use brigade_proto::v1::{Object, ProcessRequest};
use brigade_storage::{Bucket, NewObject, Pinned, Store, object::escape};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream::BoxStream};
use tokio::{fs::File, io::AsyncWriteExt as _, time::Instant};

use crate::{content::Check, error::ProcessError, output::Output};

/// How often an output is written again when somebody else writes the same name.
const TRIES: u32 = 3;

/// One object to process: what is known of it, and the ways to its content and to outputs.
#[derive(Clone, Debug)]
pub struct Job {
    object: Object,
    attempt: u32,
    deadline: Option<Instant>,
    store: Arc<dyn Store>,
    output: Option<Output>,
}

impl Job {
    /// The job of a request, if it names an object.
    pub(crate) fn new(
        request: ProcessRequest,
        budget: Option<Duration>,
        store: Arc<dyn Store>,
        output: Option<Output>,
    ) -> Result<Self, ProcessError> {
        let object = request
            .object
            .ok_or_else(|| ProcessError::refuse("the request has no object"))?;
        if object.bucket.is_empty() || object.name.is_empty() || object.generation <= 0 {
            return Err(ProcessError::refuse(
                "the request's object needs a bucket, a name and a generation above 0",
            ));
        }
        Ok(Self {
            object,
            attempt: request.attempt.max(1).unsigned_abs(),
            deadline: budget.and_then(|budget| Instant::now().checked_add(budget)),
            store,
            output,
        })
    }

    /// The object: its bucket, name, generation, size, content type, checksums and custom metadata.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// The last part of the object's name. It may hold any character but a slash.
    pub fn file_name(&self) -> &str {
        self.object.name.rsplit('/').next().unwrap_or_default()
    }

    /// 1 for the first time, one more for each time that was asked for.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// `bucket/name#generation`: the same key means the same bytes.
    pub fn key(&self) -> String {
        self.object.idempotency_key()
    }

    /// How long the caller still waits, if it said so.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Where outputs go, if the worker has a place for them.
    pub fn output(&self) -> Option<&Output> {
        self.output.as_ref()
    }

    /// The whole content, of at most `limit` bytes. Size and CRC32C are checked; an object that was replaced
    /// meanwhile is reported as superseded, never as damaged.
    pub async fn bytes(&self, limit: usize) -> Result<Bytes, ProcessError> {
        let mut check = Check::of(&self.object);
        if check.stored_size() > limit as u64 {
            let size = check.stored_size();
            return Err(ProcessError::refuse(format!(
                "the file has {size} bytes, and {limit} are the limit"
            )));
        }
        let mut content = BytesMut::new();
        let mut pieces = self.read().await?;
        while let Some(piece) = pieces.next().await.transpose()? {
            check.add(&piece);
            // A stream longer than it was said to be must not fill the memory.
            if content.len() + piece.len() <= limit {
                content.extend_from_slice(&piece);
            }
        }
        check.finish()?;
        Ok(content.freeze())
    }

    /// Downloads the content to a new file, with the same checks as [`Job::bytes`], never more than a piece in memory.
    pub async fn download(&self, path: &Path) -> Result<(), ProcessError> {
        let broken = |error: std::io::Error| {
            ProcessError::retry_after(
                Duration::from_secs(10),
                format!("the worker cannot write {}: {error}", path.display()),
            )
        };
        let mut check = Check::of(&self.object);
        let mut pieces = self.read().await?;
        let mut file = File::create_new(path).await.map_err(broken)?;
        while let Some(piece) = pieces.next().await.transpose()? {
            check.add(&piece);
            file.write_all(&piece).await.map_err(broken)?;
        }
        file.flush().await.map_err(broken)?;
        check.finish()
    }

    /// Writes an output under the worker's output location, and answers its `gs://` URI.
    ///
    /// A repeated run writes the same name: equal content is left alone, other content is replaced, fenced by the
    /// generation that was seen.
    pub async fn write(
        &self,
        name: &str,
        content: Bytes,
        content_type: &str,
    ) -> Result<String, ProcessError> {
        let output = self.output.as_ref().ok_or_else(|| {
            ProcessError::internal(
                "the worker has no place for outputs; set BRIGADE_OUTPUT to gs://BUCKET/PREFIX/",
            )
        })?;
        let name = format!("{}{name}", output.prefix);
        let bucket = self.store.bucket(&output.bucket);
        let new = NewObject {
            content,
            content_type: content_type.to_owned(),
            ..NewObject::default()
        };
        for _ in 0..TRIES {
            if write_once(&*bucket, &name, &new).await? {
                return Ok(format!("gs://{}/{name}", output.bucket));
            }
        }
        let message = format!(
            "gs://{}/{} is being written by somebody else",
            output.bucket,
            escape(&name)
        );
        Err(ProcessError::retry_after(Duration::from_secs(10), message))
    }

    async fn read(
        &self,
    ) -> brigade_storage::Result<BoxStream<'static, brigade_storage::Result<Bytes>>> {
        let source = Pinned {
            name: &self.object.name,
            generation: self.object.generation,
        };
        self.store.bucket(&self.object.bucket).read(source, 0).await
    }
}

/// Whether the output lies there now. Otherwise something came between, and another look is needed.
async fn write_once(
    bucket: &dyn Bucket,
    name: &str,
    new: &NewObject,
) -> Result<bool, ProcessError> {
    let replaces = match bucket.get(name).await {
        Ok(there)
            if there.size == new.content.len() as u64
                && there.crc32c == Some(crc32c::crc32c(&new.content)) =>
        {
            return Ok(true);
        }
        Ok(there) => there.generation,
        Err(error) if error.is_not_found() => 0,
        Err(error) => return Err(error.into()),
    };
    match bucket.create(name, replaces, new.clone()).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_precondition() || error.is_ambiguous() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
