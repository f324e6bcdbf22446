//! Writes results, each fenced by what is there.

use std::{
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use brigade_runtime::settings::names;
use brigade_storage::{Content, Error, Kind, NewObject, Object, ObjectRef, naming};
use tokio::time::sleep;

use super::{
    Outputs, find,
    name::{InvalidName, fitting},
    no_output,
    taken::{Decision, Replaced, Taken, decide},
};
use crate::error::{DEFAULT_RETRY_AFTER, ProcessError};

/// Attempts at a write that conflicts with others, or whose response is lost.
const MAX_ATTEMPTS: usize = 4;

/// The pause before the second attempt of one that storage did not take for now; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Writes that wait for the end of their run: open files, and bytes in memory.
const MAX_DEFERRED: usize = 256;
const MAX_DEFERRED_SIZE: usize = 64 * 1024 * 1024;

/// One write: the file that the processor named, and what is to be stored.
#[derive(Clone, Debug)]
struct Write {
    file: String,
    new: NewObject,
}

/// A write that waits for the end of its run: what it replaces is the result of an earlier upload or of another object, which
/// stays if this run does not end well.
#[derive(Debug)]
pub(super) struct Deferred {
    write: Write,
    name: String,
}

// === impl Outputs ===

impl Outputs {
    /// Refuses a name that `file` cannot get, before anything is written.
    pub(crate) fn check_name(&self, file: &str) -> Result<(), ProcessError> {
        if let (Some(location), Ok(template)) = (self.location(), &self.policy.name) {
            template.render(location, self.path(), file)?;
        }
        Ok(())
    }

    /// Writes `file`, and returns its `gs://` URI.
    pub(crate) async fn write(
        &self,
        file: &str,
        content: Content,
        content_type: &str,
    ) -> Result<String, ProcessError> {
        let location = self.location().ok_or_else(|| no_output("the processor has an output"))?;
        let template = self.policy.name.as_ref().map_err(|error| {
            ProcessError::misconfigured(format!("Processor::output_name is no template: {error}"))
        })?;
        let name = template.render(location, self.path(), file)?;
        self.check_not_source(&location.bucket, &name)?;
        let live = self.live_source().await?;
        let new = NewObject {
            content,
            content_type: content_type.to_owned(),
            metadata: self.source.marks(&self.run, &live),
        };
        let write = Write { file: file.to_owned(), new };
        let name = match self.put(&write, &name, true).await? {
            None => name,
            Some(other) => self.put_beside(&write, other).await?,
        };
        Ok(format!("gs://{}/{name}", location.bucket))
    }

    /// Makes the writes that waited for the end of the run.
    pub(super) async fn write_deferred(&self) -> Result<(), ProcessError> {
        let deferred = std::mem::take(&mut *self.deferred());
        for Deferred { write, name } in deferred {
            self.live_source().await?;
            if let Some(other) = self.put(&write, &name, false).await? {
                // It was another's output that was replaced since then; the next run finds another name.
                let message =
                    format!("{} was replaced while it was to be written", object_ref(&other));
                return Err(ProcessError::retry_after(DEFAULT_RETRY_AFTER, message));
            }
        }
        Ok(())
    }

    /// Whether the write waits for the end of the run: so many and so large ones do, as each holds its content.
    fn defer(&self, write: &Write, name: &str) -> bool {
        let mut deferred = self.deferred();
        let in_memory = |new: &NewObject| match &new.content {
            Content::Bytes(bytes) => bytes.len(),
            Content::File(_) => 0,
        };
        let size: usize = deferred.iter().map(|one| in_memory(&one.write.new)).sum();
        if deferred.len() >= MAX_DEFERRED || size + in_memory(&write.new) > MAX_DEFERRED_SIZE {
            return false;
        }
        self.ledger.deferred(name);
        deferred.push(Deferred { write: write.clone(), name: name.to_owned() });
        true
    }

    fn deferred(&self) -> MutexGuard<'_, Vec<Deferred>> {
        self.deferred.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes under another name than the one that `other` has.
    async fn put_beside(&self, write: &Write, other: Object) -> Result<String, ProcessError> {
        if self.policy.taken != Taken::Keep {
            return Err(self.taken(&write.file, &[&other]));
        }
        let tag = self.source.generation.to_string();
        let name = fitting(naming::tagged(&other.name, &tag), &write.file)?;
        self.check_not_source(&other.bucket, &name)?;
        self.policy.warned.kept.call_once(|| {
            tracing::warn!(
                key = self.source.key(), taken = %object_ref(&other), name,
                "an output's name is taken by another object's, so it is written under another name; fix: use {{path}} in {} (--output-name)",
                names::OUTPUT_NAME
            );
        });
        match self.put(write, &name, true).await? {
            None => Ok(name),
            Some(second) => Err(self.taken(&write.file, &[&other, &second])),
        }
    }

    /// First creates; on a conflict it looks at what is there, and replaces exactly that if it may. A lost response is handled
    /// likewise. Some: what has the name, and stays. `defers`: the output of an earlier upload is replaced at the run's end.
    async fn put(
        &self,
        write: &Write,
        name: &str,
        defers: bool,
    ) -> Result<Option<Object>, ProcessError> {
        let Write { file, new } = write;
        let bucket =
            self.output_bucket().ok_or_else(|| no_output("the processor has an output"))?;
        self.ledger.begin(name, file).map_err(|other| same_name(&other, file, name))?;
        let mut replaces = 0;
        let mut attempt = 1;
        let mut pause = FIRST_PAUSE;
        let mut may_be_written = false;
        loop {
            let error = match bucket.create(name, replaces, new.clone()).await {
                Ok(written) => {
                    self.ledger.wrote(name, written.generation);
                    return Ok(None);
                }
                Err(error) if error.is_precondition() => error,
                Err(error) if error.is_transient() && !names_a_pause(&error) => {
                    may_be_written |= error.is_ambiguous();
                    sleep(pause).await;
                    pause *= 2;
                    error
                }
                Err(error) => {
                    if !may_be_written {
                        self.ledger.not_written(name);
                    }
                    return Err(cannot_write(error));
                }
            };
            replaces = match find(&*bucket, name).await.map_err(cannot_write)? {
                None => 0,
                Some(live) => match self.decide(&live, new) {
                    Decision::Written => {
                        self.ledger.wrote(name, live.generation);
                        return Ok(None);
                    }
                    Decision::Replace(Replaced::Older | Replaced::Other)
                        if defers && self.defer(write, name) =>
                    {
                        return Ok(None);
                    }
                    Decision::Replace(whose) => {
                        if whose == Replaced::SameGeneration {
                            self.ledger.share(name);
                        }
                        live.generation
                    }
                    Decision::Superseded => {
                        self.ledger.not_written(name);
                        return Err(self.superseded_by(&live));
                    }
                    Decision::Taken => {
                        self.ledger.not_written(name);
                        return Ok(Some(live));
                    }
                },
            };
            if attempt == MAX_ATTEMPTS {
                return Err(cannot_write(error));
            }
            attempt += 1;
        }
    }

    /// What becomes of a name that `live` has.
    fn decide(&self, live: &Object, new: &NewObject) -> Decision {
        decide(live, &self.source, &self.run, is_identical(live, new), self.policy.taken)
    }

    fn check_not_source(&self, bucket: &str, name: &str) -> Result<(), ProcessError> {
        if bucket != self.source.bucket || name != self.source.name {
            return Ok(());
        }
        Err(ProcessError::misconfigured(format!(
            "{} would be replaced by its own output; set {} (--output) to another prefix, or {} (--output-name) to another form",
            self.source.object_ref(),
            names::OUTPUT,
            names::OUTPUT_NAME
        )))
    }

    fn superseded_by(&self, newer: &Object) -> ProcessError {
        ProcessError::superseded(format!(
            "{} is an output of a newer upload of {}; the outputs of this run are removed",
            object_ref(newer),
            self.source.object_ref()
        ))
    }

    fn taken(&self, file: &str, others: &[&Object]) -> ProcessError {
        let others: Vec<_> = others.iter().map(|other| object_ref(other).to_string()).collect();
        let others = others.join(" and ");
        ProcessError::failed_precondition(format!(
            "{} has an output {file:?}, whose name is taken: {others} was not made of this object; fix: use {{path}} in {} (--output-name), or remove it",
            self.source.object_ref(),
            names::OUTPUT_NAME
        ))
        .with_kind("output-taken")
    }
}

impl From<InvalidName> for ProcessError {
    fn from(error: InvalidName) -> Self {
        Self::internal(error.to_string()).with_kind("output-name")
    }
}

fn same_name(other: &str, file: &str, name: &str) -> ProcessError {
    ProcessError::internal(format!(
        "the outputs {other:?} and {file:?} would both be named {name:?}; fix: use {{file}} in {} (--output-name)",
        names::OUTPUT_NAME
    ))
    .with_kind("output-name")
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

/// Whether storage asked to wait: the caller of the worker does, which holds no place meanwhile.
fn names_a_pause(error: &Error) -> bool {
    matches!(error.kind(), Kind::Busy { retry_after: Some(_) })
}

fn object_ref(object: &Object) -> ObjectRef<'_> {
    ObjectRef { bucket: &object.bucket, name: &object.name }
}

fn is_identical(live: &Object, new: &NewObject) -> bool {
    live.size == new.content.size()
        && live.crc32c == Some(new.content.crc32c())
        && live.content_type == new.content_type
}
