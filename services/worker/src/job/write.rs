//! Writes results, so that a repeated run has the effect of one.

use brigade_runtime::settings::names;
use brigade_storage::{Bucket, Content, Error, Kind, Location, NewObject, Object};

use super::Job;
use crate::error::{DEFAULT_RETRY_AFTER, ProcessError};

/// Attempts at a write that conflicts with others, or whose response is lost.
const MAX_ATTEMPTS: usize = 4;

/// Bytes of an object's name: <https://cloud.google.com/storage/docs/objects#naming>.
const MAX_NAME: usize = 1_024;

impl Job {
    /// Writes `name` below the worker's output location, and returns its `gs://` URI. The content is bytes in memory, or a
    /// [`FileContent`](brigade_storage::FileContent), which is never in memory as a whole.
    ///
    /// An existing object of this name is kept if it is identical, and is replaced otherwise, fenced by its generation. A worker
    /// without an output location, or whose output storage refuses, is [`ProcessError::misconfigured`].
    pub async fn write(
        &self,
        name: &str,
        content: impl Into<Content> + Send,
        content_type: &str,
    ) -> Result<String, ProcessError> {
        let output = self.output();
        let output = output.ok_or_else(|| no_output("the processor has an output"))?;
        let name = self.output_name(output, name)?;
        let new = NewObject {
            content: content.into(),
            content_type: content_type.to_owned(),
            ..NewObject::default()
        };
        let bucket = self.context.store.bucket(&output.bucket);
        create_or_replace(&*bucket, &name, new).await?;
        Ok(format!("gs://{}/{name}", output.bucket))
    }

    fn output_name(&self, output: &Location, name: &str) -> Result<String, ProcessError> {
        if name.is_empty() {
            let why = "the processor wrote an output without a name";
            return Err(ProcessError::internal(why));
        }
        let whole = format!("{}{name}", output.prefix);
        // Storage would answer 400, which otherwise means that a setting is wrong.
        if whole.len() > MAX_NAME || whole.contains(['\r', '\n']) {
            return Err(ProcessError::internal(format!(
                "an object's name has at most {MAX_NAME} bytes and no line break; the output's would be {whole:?}"
            )));
        }
        let object = self.object();
        if output.bucket == object.bucket && whole == object.name {
            return Err(ProcessError::misconfigured(format!(
                "{} would be replaced by its own output; set {} (--output) to another prefix",
                self.object_ref(),
                names::OUTPUT
            )));
        }
        Ok(whole)
    }
}

/// An output must not be lost in silence, and no object is to blame for a setting.
pub(crate) fn no_output(what: &str) -> ProcessError {
    ProcessError::misconfigured(format!(
        "{what}, but this worker has no output location; set {} (--output) to gs://BUCKET/PREFIX/",
        names::OUTPUT
    ))
}

/// First creates; on a conflict it reads what is stored, and replaces exactly that. A lost response is handled likewise.
async fn create_or_replace(
    bucket: &dyn Bucket,
    name: &str,
    new: NewObject,
) -> Result<(), ProcessError> {
    let mut replaces = 0;
    let mut attempt = 1;
    loop {
        let error = match bucket.create(name, replaces, new.clone()).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_precondition() || error.is_ambiguous() => error,
            Err(error) => return Err(cannot_write(error)),
        };
        match find(bucket, name).await.map_err(cannot_write)? {
            Some(live) if is_identical(&live, &new) => return Ok(()),
            live => replaces = live.map_or(0, |live| live.generation),
        }
        if attempt == MAX_ATTEMPTS {
            return Err(cannot_write(error));
        }
        attempt += 1;
    }
}

/// What a write that failed means, and the look after it. The setting is named: the message of storage does not know it.
fn cannot_write(error: Error) -> ProcessError {
    let named = format!("{} (--output): {error}", names::OUTPUT);
    let new = match error.kind() {
        Kind::Invalid => ProcessError::misconfigured(format!(
            "{named}; fix: correct the location, or the settings of its bucket, such as its encryption key"
        )),
        // Others keep changing the output.
        Kind::Precondition => ProcessError::retry_after(DEFAULT_RETRY_AFTER, error.to_string()),
        _ if error.needs_fix() => ProcessError::misconfigured(named),
        _ => return error.into(),
    };
    new.with_source(error)
}

async fn find(bucket: &dyn Bucket, name: &str) -> Result<Option<Object>, Error> {
    match bucket.get(name).await {
        Ok(live) => Ok(Some(live)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_identical(live: &Object, new: &NewObject) -> bool {
    live.size == new.content.size()
        && live.crc32c == Some(new.content.crc32c())
        && live.content_type == new.content_type
}
