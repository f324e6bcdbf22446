//! Writes results, so that a repeated run has the effect of one.

use brigade_runtime::settings::names;
use brigade_storage::{Bucket, Content, Error, Location, NewObject, Object};

use super::Job;
use crate::error::{A_MOMENT, ProcessError};

/// How often a write is tried that others get in the way of, or whose answer is lost.
const TRIES: usize = 4;

impl Job {
    /// Writes `name` below the worker's output location, and returns its `gs://` URI. The content is bytes at hand, or a
    /// [`FileContent`](brigade_storage::FileContent), which is never in memory as a whole.
    ///
    /// When the name is taken, what lies there is left alone if it is identical, and is replaced otherwise, fenced by
    /// its generation. A worker without an output location is [`ProcessError::misconfigured`].
    pub async fn write(
        &self,
        name: &str,
        content: impl Into<Content> + Send,
        content_type: &str,
    ) -> Result<String, ProcessError> {
        let output = self
            .output
            .as_ref()
            .ok_or_else(|| no_output("the processor has an output"))?;
        let name = self.output_name(output, name)?;
        let new = NewObject {
            content: content.into(),
            content_type: content_type.to_owned(),
            ..NewObject::default()
        };
        let bucket = self.store.bucket(&output.bucket);
        put(&*bucket, &name, new).await?;
        Ok(format!("gs://{}/{name}", output.bucket))
    }

    fn output_name(&self, output: &Location, name: &str) -> Result<String, ProcessError> {
        if name.is_empty() {
            return Err(ProcessError::internal("an output has no name"));
        }
        let whole = format!("{}{name}", output.prefix);
        let object = self.object();
        if output.bucket == object.bucket && whole == object.name {
            return Err(ProcessError::misconfigured(format!(
                "{} would be replaced by its own output; give {} (--output) another prefix",
                self.place(),
                names::OUTPUT
            )));
        }
        Ok(whole)
    }
}

/// An output must not be lost in silence, and no object is to blame for a setting.
pub(crate) fn no_output(what: &str) -> ProcessError {
    ProcessError::misconfigured(format!(
        "{what}, and this worker has no place for it; give {} (--output) as gs://BUCKET/PREFIX/",
        names::OUTPUT
    ))
}

/// First as if nothing were there; else looks, and replaces exactly what it saw. A lost answer is looked after too.
async fn put(bucket: &dyn Bucket, name: &str, new: NewObject) -> Result<(), ProcessError> {
    let mut replaces = 0;
    let mut met = None;
    for _ in 0..TRIES {
        match bucket.create(name, replaces, new.clone()).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_precondition() || error.is_ambiguous() => met = Some(error),
            Err(error) => return Err(error.into()),
        }
        match look(bucket, name).await? {
            Some(live) if is_identical(&live, &new) => return Ok(()),
            live => replaces = live.map_or(0, |live| live.generation),
        }
    }
    let why = met.map(|error| error.to_string()).unwrap_or_default();
    Err(ProcessError::retry_after(A_MOMENT, why))
}

async fn look(bucket: &dyn Bucket, name: &str) -> Result<Option<Object>, Error> {
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
