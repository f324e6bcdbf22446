//! One object generation to process, and what a processor can do with it.

mod download;
mod progress;
mod read;
mod write;

use std::{fmt, sync::Arc, time::Duration};

use brigade_proto::v1::Object;
use brigade_storage::{Bucket, Location, ObjectRef, Store};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{deadline::Deadline, request::ValidRequest};

pub(crate) use progress::Progress;
pub(crate) use write::no_output;

/// One object generation to process.
///
/// Every read is of exactly this generation, and checked: a processor never sees a mix of two uploads.
/// [`write`](Self::write) stores results below the worker's output location.
pub struct Job {
    request: ValidRequest,
    store: Arc<dyn Store>,
    output: Option<Location>,
    deadline: Arc<Deadline>,
    progress: Arc<Progress>,
    max_size: Option<u64>,
    cancelled: CancellationToken,
    shutdown: CancellationToken,
    slot: Arc<OwnedSemaphorePermit>,
}

/// Everything that a job has besides its request.
pub(crate) struct JobContext {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) output: Option<Location>,
    pub(crate) deadline: Arc<Deadline>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) max_size: Option<u64>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) slot: OwnedSemaphorePermit,
}

// === impl Job ===

impl Job {
    pub(crate) fn new(request: ValidRequest, context: JobContext) -> Self {
        Self {
            request,
            store: context.store,
            output: context.output,
            deadline: context.deadline,
            progress: context.progress,
            max_size: context.max_size,
            cancelled: CancellationToken::new(),
            shutdown: context.shutdown,
            slot: Arc::new(context.slot),
        }
    }

    /// The object: its name, generation, size, content type and custom metadata.
    pub fn object(&self) -> &Object {
        &self.request.object
    }

    /// The last part of the object's name. It may hold any character but a slash, and may be empty.
    pub fn file_name(&self) -> &str {
        self.request
            .object
            .name
            .rsplit('/')
            .next()
            .unwrap_or_default()
    }

    /// The worker's output location, if it has one.
    pub fn output(&self) -> Option<&Location> {
        self.output.as_ref()
    }

    /// 1 for the first call about this generation, one more for each retry that a worker asked for.
    pub fn attempt(&self) -> u32 {
        self.request.attempt
    }

    /// `bucket/name#generation`: two calls with one key are about the same bytes, and must have the effect of one.
    pub fn key(&self) -> &str {
        &self.request.key
    }

    /// The time left for this object: it grows when a call joins that waits longer. At zero the
    /// future of [`Processor::process`](crate::Processor::process) is dropped.
    pub fn remaining(&self) -> Duration {
        self.deadline
            .get()
            .saturating_duration_since(Instant::now())
    }

    /// Cancelled when the work is over: it returned, ran out of time, or has no waiting caller any more. For work that does
    /// not end when the processor's future is dropped, such as a thread's.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Cancelled when this worker shuts down. The work has 9 s from then on; its child processes may have received the same
    /// signal.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// This job's slot of the concurrency limit, for work that may outlive the processor's future.
    pub(crate) fn slot(&self) -> Arc<OwnedSemaphorePermit> {
        Arc::clone(&self.slot)
    }

    fn source(&self) -> Arc<dyn Bucket> {
        self.store.bucket(&self.request.object.bucket)
    }

    /// For messages.
    fn object_ref(&self) -> ObjectRef<'_> {
        ObjectRef {
            bucket: &self.request.object.bucket,
            name: &self.request.object.name,
        }
    }
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
