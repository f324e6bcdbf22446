//! Runs a processor over a bucket in memory, for a processor's own tests.
//!
//! ```
//! # use brigade_worker::{Job, Outcome, ProcessError, Processor};
//! # struct Lines;
//! # impl Processor for Lines {
//! #     type Error = ProcessError;
//! #     async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
//! #         let count = job.bytes(1024).await?.split(|byte| *byte == b'\n').count() - 1;
//! #         let uri = job.write("lines.txt", count.to_string(), "text/plain").await?;
//! #         Ok(Outcome::summary(format!("{count} lines")).output(uri))
//! #     }
//! # }
//! use brigade_worker::testing::TestWorker;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let worker = TestWorker::new(Lines);
//! let response = worker.process("night.csv", "a\nb\n").await.unwrap();
//! assert_eq!(response.summary, "2 lines");
//! assert_eq!(worker.output("night.csv/lines.txt").unwrap(), "2");
//! # });
//! ```
//!
//! It is the worker itself, with its limits, its deadline and its checks; only the storage is not real, and there is no
//! network. [`TestWorker::bucket`] is that storage: it can fail on demand, and others can replace objects in it.

use std::{fmt, sync::Arc, time::Duration};

use brigade_proto::v1::{self, ProcessRequest, ProcessResponse};
use brigade_sim::Sim;
use brigade_storage::{Location, Object, Store};
use bytes::Bytes;

use crate::{error::ProcessError, processor::Processor, runner::Runner, settings::WorkerSettings};

/// The bucket of a [`TestWorker`].
pub const BUCKET: &str = "test";
/// Where its outputs go, unless the settings say otherwise.
const OUTPUT: &str = "output/";

/// A worker over a bucket in memory.
pub struct TestWorker<P> {
    runner: Arc<Runner<P>>,
    bucket: Sim,
    output: Location,
}

// === impl TestWorker ===

impl<P: Processor> TestWorker<P> {
    /// A worker with the default settings, whose outputs go to `gs://test/output/`.
    pub fn new(processor: P) -> Self {
        Self::with_settings(processor, WorkerSettings::default())
    }

    /// A worker with these settings. Its outputs go to `gs://test/output/` unless they name another place.
    pub fn with_settings(processor: P, mut settings: WorkerSettings) -> Self {
        let output = settings.output.get_or_insert_with(|| Location::new(BUCKET, OUTPUT)).clone();
        let bucket = Sim::new().with_bucket(BUCKET).with_bucket(&output.bucket);
        Self { runner: Runner::new(processor, Arc::new(bucket.clone()), &settings), bucket, output }
    }

    /// Uploads `content` under `name`, and has it processed.
    ///
    /// # Panics
    /// When no object can have this name.
    pub async fn process(
        &self,
        name: &str,
        content: impl Into<Bytes>,
    ) -> Result<ProcessResponse, Arc<ProcessError>> {
        let object = self.upload(name, content);
        self.process_object(&object).await
    }

    /// Uploads `content` under `name`, in place of what is there.
    ///
    /// # Panics
    /// When no object can have this name.
    pub fn upload(&self, name: &str, content: impl Into<Bytes>) -> Object {
        match self.bucket.upload(BUCKET, name, content) {
            Ok(object) => object,
            Err(error) => panic!("{error}"),
        }
    }

    /// Has a generation processed that was uploaded before: once more, say, or after it was replaced.
    pub async fn process_object(
        &self,
        object: &Object,
    ) -> Result<ProcessResponse, Arc<ProcessError>> {
        self.process_request(request(object)).await
    }

    /// Has a request processed as it is.
    pub(crate) async fn process_request(
        &self,
        request: v1::ProcessRequest,
    ) -> Result<ProcessResponse, Arc<ProcessError>> {
        self.runner.run(request, None).await
    }

    /// The same for a caller that waits so long.
    #[cfg(test)]
    pub(crate) async fn process_within(
        &self,
        request: v1::ProcessRequest,
        budget: Duration,
    ) -> Result<ProcessResponse, Arc<ProcessError>> {
        self.runner.run(request, Some(budget)).await
    }

    #[cfg(test)]
    pub(crate) fn processor(&self) -> &P {
        &self.runner.processor
    }

    /// What was written under this name below the output location: by default, the object's name, a slash, and the name that
    /// the processor gave.
    pub fn output(&self, name: &str) -> Option<Bytes> {
        let name = format!("{}{name}", self.output.prefix);
        self.bucket.content(&self.output.bucket, &name)
    }

    /// The names below the output location, in order.
    pub fn outputs(&self) -> Vec<String> {
        let all = self.bucket.objects(&self.output.bucket).into_iter();
        all.filter_map(|object| {
            let name = object.name.strip_prefix(&self.output.prefix)?;
            Some(name.to_owned())
        })
        .collect()
    }

    /// The storage, to make it fail or to look into.
    pub fn bucket(&self) -> &Sim {
        &self.bucket
    }
}

impl<P> fmt::Debug for TestWorker<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestWorker").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

/// A worker over any store, called as its server calls it. For tests that end it and start another: a store that stops to
/// answer ends it like a kill, as nothing that it does afterwards arrives anywhere.
pub struct WorkerInstance<P>(Arc<Runner<P>>);

// === impl WorkerInstance ===

impl<P: Processor> WorkerInstance<P> {
    /// A worker that starts now.
    pub fn new(processor: P, store: Arc<dyn Store>, settings: &WorkerSettings) -> Self {
        Self(Runner::new(processor, store, settings))
    }

    /// Has an object processed for a caller that waits so long, if it says how long. To drop the future is to go away.
    pub async fn call(
        &self,
        request: ProcessRequest,
        budget: Option<Duration>,
    ) -> Result<ProcessResponse, Arc<ProcessError>> {
        self.0.run(request, budget).await
    }
}

impl<P> fmt::Debug for WorkerInstance<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerInstance").finish_non_exhaustive()
    }
}

/// The request that a poller makes of an object at its first attempt.
pub(crate) fn request(object: &Object) -> v1::ProcessRequest {
    let object = v1::Object {
        bucket: object.bucket.clone(),
        name: object.name.clone(),
        generation: object.generation,
        size: object.size.try_into().unwrap_or(i64::MAX),
        content_type: object.content_type.clone(),
        crc32c: object.crc32c,
        metadata: object.metadata.clone().into_iter().collect(),
        ..v1::Object::default()
    };
    v1::ProcessRequest {
        idempotency_key: object.idempotency_key(),
        object: Some(object),
        attempt: 1,
        inbox: String::new(),
    }
}
