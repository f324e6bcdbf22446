//! Runs a processor on one request: the way that gRPC and HTTP share.

use std::{any::Any, fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use brigade_proto::v1::ProcessRequest;
use brigade_storage::{Location, Store, object::escape};
use futures::FutureExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    error::{ErrorKind, ProcessError},
    flight::{Answer, Deadline, Flights},
    job::{Job, Progress, Surroundings},
    processor::{Outcome, Processor},
    request::{Valid, check},
    settings::WorkerSettings,
    text,
};

/// Further away than anybody waits, for times that the clock cannot hold.
const FAR: Duration = Duration::from_hours(24 * 365);

/// Bytes of a summary or a reason in a log line: processors write them, and logs drop a line that is too long.
const SHOWN: usize = 1_536;

/// Runs a processor within the worker's limits.
pub(crate) struct Runner<P> {
    processor: P,
    store: Arc<dyn Store>,
    output: Option<Location>,
    timeout: Duration,
    max_size: Option<u64>,
    concurrency: usize,
    slots: Arc<Semaphore>,
    flights: Flights,
    shutdown: CancellationToken,
}

// === impl Runner ===

impl<P: Processor> Runner<P> {
    pub(crate) fn new(processor: P, store: Arc<dyn Store>, settings: &WorkerSettings) -> Arc<Self> {
        Self::until(processor, store, settings, CancellationToken::new())
    }

    /// The processor is told of the `shutdown`; new work is not refused by it, which is the server's part.
    pub(crate) fn until(
        processor: P,
        store: Arc<dyn Store>,
        settings: &WorkerSettings,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        let concurrency = settings.concurrency.min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            processor,
            store,
            output: settings.output.clone(),
            timeout: settings.timeout,
            max_size: settings.max_size,
            concurrency,
            slots: Arc::new(Semaphore::new(concurrency)),
            flights: Flights::default(),
            shutdown,
        })
    }

    /// Runs the processor, or joins the run that the same key has already. `budget` is how long the caller waits, if it
    /// says so. A caller that goes away, or whose time runs out, stops the run only when nobody else waits for it.
    pub(crate) async fn run(
        self: &Arc<Self>,
        request: ProcessRequest,
        budget: Option<Duration>,
    ) -> Answer {
        let began = Instant::now();
        let after = |time: Duration| began.checked_add(time).unwrap_or(began + FAR);
        let valid = check(request)?;
        let (key, attempt) = (valid.key.clone(), valid.attempt);
        let time = budget.map_or(self.timeout, |budget| budget.min(self.timeout));
        let flight = self.flights.join(
            &key,
            after(time),
            after(self.timeout),
            |deadline, progress| self.start(valid, deadline, progress),
        )?;
        let deadline = after(time).min(flight.latest());
        let Ok(answer) = timeout_at(deadline, flight.answer()).await else {
            let error = too_late(deadline - began, flight.progress());
            report(
                &escape(&key).to_string(),
                attempt,
                began.elapsed(),
                &Err(&error),
            );
            return Err(Arc::new(error));
        };
        answer
    }

    /// One run, which has its place among those at work already.
    fn start(
        self: &Arc<Self>,
        valid: Valid,
        deadline: Arc<Deadline>,
        progress: Arc<Progress>,
    ) -> Result<impl Future<Output = Answer> + Send + use<P>, ProcessError> {
        let around = Surroundings {
            store: Arc::clone(&self.store),
            output: self.output.clone(),
            deadline,
            progress,
            max_size: self.max_size,
            shutdown: self.shutdown.clone(),
            slot: self.slot()?,
        };
        let runner = Arc::clone(self);
        Ok(async move {
            let began = Instant::now();
            let (key, attempt) = (escape(&valid.key).to_string(), valid.attempt);
            let answer = runner.process(Job::new(valid, around)).await;
            report(&key, attempt, began.elapsed(), &answer.as_ref());
            answer.map(Outcome::into_response).map_err(Arc::new)
        })
    }

    fn slot(&self) -> Result<OwnedSemaphorePermit, ProcessError> {
        Arc::clone(&self.slots).try_acquire_owned().map_err(|_| {
            ProcessError::busy(format!(
                "this worker is at work on {} objects already",
                self.concurrency
            ))
        })
    }

    async fn process(&self, job: Job) -> Result<Outcome, ProcessError> {
        // A processor may panic before its first await too, and its error when it is asked what it means.
        let work = async { self.processor.process(&job).await.map_err(Into::into) };
        match AssertUnwindSafe(work).catch_unwind().await {
            Ok(answer) => answer,
            Err(panic) => Err(ProcessError::internal(format!(
                "the processor panicked: {}",
                words(&*panic)
            ))),
        }
    }
}

fn too_late(time: Duration, progress: &Progress) -> ProcessError {
    let message = format!("the processor did not end within {time:?}");
    ProcessError::deadline(match progress.last() {
        Some(last) => format!("{message}: {last}"),
        None => message,
    })
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it did not say why")
}

fn report(key: &str, attempt: u32, took: Duration, answer: &Result<&Outcome, &ProcessError>) {
    match answer {
        Ok(outcome) => {
            let summary = escape(text::cut(&outcome.summary, SHOWN));
            tracing::info!(key, attempt, ?took, %summary, "processed");
        }
        Err(error) => {
            let (code, reason) = (
                error.kind().code(),
                escape(text::cut(error.message(), SHOWN)),
            );
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

#[cfg(test)]
mod tests;
