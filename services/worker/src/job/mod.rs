//! One object generation to process, and what a processor may do with it.

mod download;
mod progress;
mod read;
mod write;

use std::{fmt, sync::Arc, time::Duration};

use brigade_proto::v1::Object;
use brigade_storage::{Bucket, Location, ObjectRef, Store, object::escape};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{flight::Deadline, request::Valid};

pub(crate) use progress::Progress;
pub(crate) use write::no_output;

/// One object generation to process.
///
/// Every read is of exactly this generation, and checked: a processor never sees half of one upload and half of the
/// next. [`write`](Self::write) puts results where the worker's output location is.
pub struct Job {
    valid: Valid,
    store: Arc<dyn Store>,
    output: Option<Location>,
    deadline: Arc<Deadline>,
    progress: Arc<Progress>,
    max_size: Option<u64>,
    cancelled: CancellationToken,
    shutdown: CancellationToken,
    slot: Arc<OwnedSemaphorePermit>,
}

/// Everything of a job that is not its request.
pub(crate) struct Surroundings {
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
    pub(crate) fn new(valid: Valid, around: Surroundings) -> Self {
        Self {
            valid,
            store: around.store,
            output: around.output,
            deadline: around.deadline,
            progress: around.progress,
            max_size: around.max_size,
            cancelled: CancellationToken::new(),
            shutdown: around.shutdown,
            slot: Arc::new(around.slot),
        }
    }

    /// The object: its name, generation, size, content type and custom metadata.
    pub fn object(&self) -> &Object {
        &self.valid.object
    }

    /// The last part of the object's name. It may hold any character but a slash, and may be empty.
    pub fn file_name(&self) -> &str {
        self.valid
            .object
            .name
            .rsplit('/')
            .next()
            .unwrap_or_default()
    }

    /// Where outputs go, if this worker has a place for them.
    pub fn output(&self) -> Option<&Location> {
        self.output.as_ref()
    }

    /// 1 for the first time that a worker is asked about this generation, one more for each time it asked for another.
    pub fn attempt(&self) -> u32 {
        self.valid.attempt
    }

    /// `bucket/name#generation`: two calls with one key are about the same bytes and must have one effect.
    pub fn key(&self) -> &str {
        &self.valid.key
    }

    /// How much time is left for this object: it grows when another call joins that waits for longer. At zero the
    /// future of [`Processor::process`](crate::Processor::process) is dropped.
    pub fn remaining(&self) -> Duration {
        self.deadline
            .get()
            .saturating_duration_since(Instant::now())
    }

    /// Cancelled when the work is over, whether it was answered, ran out of time, or was given up by all who waited for
    /// it. For work that does not end when the processor's future is dropped, such as a thread's.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Cancelled when this worker is told to end. The work has 9 s from then on, and is cut off after them; what it ran as
    /// processes may have got the same signal.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// This job's place among those that a worker does at once, for whatever may outlive the processor's future.
    pub(crate) fn slot(&self) -> Arc<OwnedSemaphorePermit> {
        Arc::clone(&self.slot)
    }

    fn source(&self) -> Arc<dyn Bucket> {
        self.store.bucket(&self.valid.object.bucket)
    }

    /// For logs.
    fn escaped_key(&self) -> String {
        escape(&self.valid.key).to_string()
    }

    /// For messages.
    fn place(&self) -> ObjectRef<'_> {
        ObjectRef {
            bucket: &self.valid.object.bucket,
            name: &self.valid.object.name,
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
            .field("key", &self.escaped_key())
            .field("attempt", &self.valid.attempt)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
