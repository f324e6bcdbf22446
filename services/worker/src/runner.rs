//! Runs a processor on one request: the way that gRPC and HTTP share.

use std::{any::Any, fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use brigade_proto::v1::{ProcessRequest, ProcessResponse};
use brigade_storage::{Location, Store, object::escape};
use futures::FutureExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use crate::{
    error::{ErrorKind, ProcessError},
    job::{Job, Surroundings},
    processor::{Outcome, Processor},
    request::check,
    settings::WorkerSettings,
};

/// Further away than anybody waits, for times that the clock cannot hold.
const FAR: Duration = Duration::from_hours(24 * 365);

/// Runs a processor within the worker's limits.
pub(crate) struct Runner<P> {
    processor: P,
    store: Arc<dyn Store>,
    output: Option<Location>,
    timeout: Duration,
    concurrency: usize,
    slots: Arc<Semaphore>,
}

// === impl Runner ===

impl<P: Processor> Runner<P> {
    pub(crate) fn new(processor: P, store: Arc<dyn Store>, settings: &WorkerSettings) -> Self {
        let concurrency = settings.concurrency.min(Semaphore::MAX_PERMITS);
        Self {
            processor,
            store,
            output: settings.output.clone(),
            timeout: settings.timeout,
            concurrency,
            slots: Arc::new(Semaphore::new(concurrency)),
        }
    }

    /// Runs the processor once. `budget` is how long the caller waits, if it says so.
    pub(crate) async fn run(
        &self,
        request: ProcessRequest,
        budget: Option<Duration>,
    ) -> Result<ProcessResponse, ProcessError> {
        let began = Instant::now();
        let valid = check(request)?;
        let key = escape(&valid.key).to_string();
        let attempt = valid.attempt;
        let slot = self.slot()?;
        let time = budget.map_or(self.timeout, |budget| budget.min(self.timeout));
        let job = Job::new(
            valid,
            Surroundings {
                store: Arc::clone(&self.store),
                output: self.output.clone(),
                deadline: began.checked_add(time).unwrap_or(began + FAR),
                slot,
            },
        );
        let answer = self.process(&job, time).await;
        report(&key, attempt, began.elapsed(), &answer);
        answer.map(Outcome::into_response)
    }

    fn slot(&self) -> Result<OwnedSemaphorePermit, ProcessError> {
        Arc::clone(&self.slots).try_acquire_owned().map_err(|_| {
            ProcessError::busy(format!(
                "this worker is at work on {} objects already",
                self.concurrency
            ))
        })
    }

    async fn process(&self, job: &Job, time: Duration) -> Result<Outcome, ProcessError> {
        // A processor may panic before its first await too.
        let work = AssertUnwindSafe(async { self.processor.process(job).await }).catch_unwind();
        match timeout_at(job.deadline(), work).await {
            Ok(Ok(answer)) => answer.map_err(Into::into),
            Ok(Err(panic)) => Err(ProcessError::internal(format!(
                "the processor panicked: {}",
                words(&*panic)
            ))),
            Err(_) => Err(ProcessError::deadline(format!(
                "the processor did not end within {time:?}"
            ))),
        }
    }
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it did not say why")
}

fn report(key: &str, attempt: u32, took: Duration, answer: &Result<Outcome, ProcessError>) {
    match answer {
        Ok(outcome) => {
            tracing::info!(key, attempt, ?took, summary = %escape(&outcome.summary), "processed");
        }
        Err(error) => {
            let (code, reason) = (error.kind().code(), escape(error.message()));
            if error.kind() == ErrorKind::Misconfigured {
                tracing::error!(key, attempt, ?took, ?code, %reason, "this worker has to be mended");
            } else {
                tracing::info!(key, attempt, ?took, ?code, %reason, "not processed");
            }
        }
    }
}

impl<P> fmt::Debug for Runner<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner")
            .field("concurrency", &self.concurrency)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
