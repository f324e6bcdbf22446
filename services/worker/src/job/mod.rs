//! One object generation to process, and what a processor can do with it.

mod download;
mod progress;
mod read;

use std::{fmt, sync::Arc, time::Duration};

use brigade_proto::v1::Object;
use brigade_storage::{Bucket, Content, Location, ObjectRef, Store};
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{error::ProcessError, output::Outputs, request::ValidRequest};

pub(crate) use progress::Progress;

/// One object generation to process.
///
/// Every read is of exactly this generation, and checked: a processor never sees a mix of two uploads.
/// [`write`](Self::write) stores results below the worker's output location.
pub struct Job {
    request: ValidRequest,
    context: JobContext,
    cancelled: CancellationToken,
}

/// The latest deadline of the calls that wait for one run.
pub(crate) type Deadline = watch::Sender<Instant>;

/// Everything that a job has besides its request.
pub(crate) struct JobContext {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) outputs: Arc<Outputs>,
    pub(crate) deadline: Arc<Deadline>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) max_size: Option<u64>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) slot: Arc<OwnedSemaphorePermit>,
}

// === impl Job ===

impl Job {
    pub(crate) fn new(request: ValidRequest, context: JobContext) -> Self {
        Self { request, context, cancelled: CancellationToken::new() }
    }

    /// The object: its name, generation, size, content type and custom metadata.
    pub fn object(&self) -> &Object {
        &self.request.object
    }

    /// The last part of the object's name. It may hold any character but a slash, and may be empty.
    pub fn file_name(&self) -> &str {
        let name = &self.object().name;
        name.rsplit('/').next().unwrap_or_default()
    }

    /// The worker's output location, if it has one.
    pub fn output(&self) -> Option<&Location> {
        self.context.outputs.location()
    }

    /// 1 for the first call about this generation, one more for each retry that a worker asked for.
    pub fn attempt(&self) -> u32 {
        self.request.attempt
    }

    /// `bucket/name#generation`: two calls with one key are about the same bytes, and must have the effect of one.
    pub fn key(&self) -> &str {
        &self.request.key
    }

    /// The inbox that the object is in; nothing when a caller named the object directly.
    pub fn inbox(&self) -> Option<&Location> {
        self.request.inbox.as_ref()
    }

    /// The object's name below its inbox; the whole name when a caller named the object directly.
    pub fn path(&self) -> &str {
        self.context.outputs.path()
    }

    /// This run: 16 hex digits, which its outputs have in `brigade-run`, and its log lines in `run`.
    pub fn run(&self) -> &str {
        self.context.outputs.run()
    }

    /// Writes an output below the worker's output location, and returns its `gs://` URI. `name` is `{file}` in the worker's
    /// template of names (`BRIGADE_OUTPUT_NAME`, or [`Processor::output_name`](crate::Processor::output_name)). The content is
    /// bytes in memory, or a [`FileContent`](brigade_storage::FileContent), which is never in memory as a whole.
    ///
    /// The output is marked with the object that it was made of. It replaces an output of the same object, unless that is of
    /// a newer upload, and no other object (`BRIGADE_OUTPUT_TAKEN`). When the run does not end well, it is removed again. A
    /// worker without an output location, or whose output storage refuses, is [`ProcessError::misconfigured`]; an object that
    /// was replaced or removed meanwhile is [`ProcessError::superseded`].
    pub async fn write(
        &self,
        name: &str,
        content: impl Into<Content> + Send,
        content_type: &str,
    ) -> Result<String, ProcessError> {
        self.context.outputs.write(name, content.into(), content_type).await
    }

    /// Refuses the name of an output, as [`write`](Self::write) would, before anything is written.
    pub(crate) fn check_output_name(&self, name: &str) -> Result<(), ProcessError> {
        self.context.outputs.check_name(name)
    }

    /// The time left for this object: it grows when a call joins that waits longer. At zero the
    /// future of [`Processor::process`](crate::Processor::process) is dropped.
    pub fn remaining(&self) -> Duration {
        let deadline = *self.context.deadline.borrow();
        deadline.saturating_duration_since(Instant::now())
    }

    /// Cancelled when the work is over: it returned, ran out of time, or has no waiting caller any more. For work that does
    /// not end when the processor's future is dropped, such as a thread's.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Cancelled when this worker shuts down. The work has 9 s from then on; its child processes may have received the same
    /// signal.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.context.shutdown
    }

    /// When the time for this object runs out, as calls move it.
    pub(crate) fn deadline(&self) -> Arc<Deadline> {
        Arc::clone(&self.context.deadline)
    }

    /// This job's slot of the concurrency limit, for work that may outlive the processor's future.
    pub(crate) fn slot(&self) -> Arc<OwnedSemaphorePermit> {
        Arc::clone(&self.context.slot)
    }

    /// The largest object that this worker takes, in bytes.
    pub(crate) fn max_size(&self) -> Option<u64> {
        self.context.max_size
    }

    fn source(&self) -> Arc<dyn Bucket> {
        self.context.store.bucket(&self.request.object.bucket)
    }
}

/// For messages.
fn object_ref(object: &Object) -> ObjectRef<'_> {
    ObjectRef { bucket: &object.bucket, name: &object.name }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.cancelled.cancel();
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("key", &self.request.key)
            .field("attempt", &self.request.attempt)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
