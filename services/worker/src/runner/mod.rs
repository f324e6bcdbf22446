//! Runs a processor on one request, for gRPC and HTTP alike.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use brigade_proto::v1::ProcessRequest;
use brigade_storage::Store;
use futures::FutureExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::{
    error::{ErrorKind, ProcessError},
    in_flight::{InFlight, SharedResult},
    job::{Deadline, Job, JobContext, Progress},
    metrics,
    output::{Cleanups, OutputPolicy, Outputs, RunEnd, Source},
    processor::{Outcome, Processor},
    request::{ValidRequest, validate},
    settings::WorkerSettings,
    text,
};

/// Stands for times that the clock cannot represent.
const FAR_FUTURE: Duration = Duration::from_hours(24 * 365);

/// Bytes of a summary or a reason in a log line: processors write them, and logs drop long lines.
const MAX_LOGGED: usize = 1_536;

/// Runs a processor within the worker's limits.
pub(crate) struct Runner<P> {
    pub(crate) processor: P,
    store: Arc<dyn Store>,
    settings: WorkerSettings,
    outputs: Arc<OutputPolicy>,
    slots: Arc<Semaphore>,
    in_flight: InFlight,
    shutdown: CancellationToken,
}

// === impl Runner ===

impl<P: Processor> Runner<P> {
    pub(crate) fn new(processor: P, store: Arc<dyn Store>, settings: &WorkerSettings) -> Arc<Self> {
        Self::with_shutdown(
            processor,
            store,
            settings,
            CancellationToken::new(),
            Cleanups::default(),
        )
    }

    /// Passes `shutdown` on to the processor. It does not refuse new work: the server does. `cleanups` has the removals of
    /// outputs that outlive their runs.
    pub(crate) fn with_shutdown(
        processor: P,
        store: Arc<dyn Store>,
        settings: &WorkerSettings,
        shutdown: CancellationToken,
        cleanups: Cleanups,
    ) -> Arc<Self> {
        let settings = settings.clone();
        let name = settings.output_name.clone().map_or_else(|| processor.output_name().parse(), Ok);
        let slots = Arc::new(Semaphore::new(settings.concurrency().min(Semaphore::MAX_PERMITS)));
        metrics::observe(&slots, slots.available_permits());
        let (location, taken) = (settings.output.clone(), settings.output_taken);
        Arc::new(Self {
            processor,
            outputs: Arc::new(OutputPolicy::new(location, name, taken, cleanups)),
            store,
            slots,
            settings,
            in_flight: InFlight::default(),
            shutdown,
        })
    }

    /// Runs the processor, or joins the run in flight for the same key. `budget` is how long the caller waits, if known. A
    /// caller that goes away, or whose time runs out, stops the run only when no other call waits for it.
    pub(crate) async fn run(
        self: &Arc<Self>,
        request: ProcessRequest,
        budget: Option<Duration>,
    ) -> SharedResult {
        let began = Instant::now();
        let after = |time: Duration| began.checked_add(time).unwrap_or(began + FAR_FUTURE);
        let valid = validate(request)?;
        let (key, attempt) = (valid.key.clone(), valid.attempt);
        let longest = self.settings.timeout;
        let time = budget.map_or(longest, |budget| budget.min(longest));
        let start = |deadline, progress| self.start(valid, deadline, progress);
        let runs = &self.in_flight;
        let shared = runs.join(&key, after(time), after(longest), start)?;
        let deadline = after(time).min(shared.latest);
        let Ok(answer) = timeout_at(deadline, shared.result()).await else {
            let error = deadline_exceeded(deadline - began, &shared.progress);
            log_result(&key, "", attempt, began.elapsed(), &Err(&error));
            return Err(Arc::new(error));
        };
        answer
    }

    /// One run, which already has its slot.
    fn start(
        self: &Arc<Self>,
        valid: ValidRequest,
        deadline: Arc<Deadline>,
        progress: Arc<Progress>,
    ) -> Result<impl Future<Output = SharedResult> + Send + use<P>, ProcessError> {
        let slot = Arc::new(self.acquire_slot()?);
        let held = Arc::clone(&slot);
        let source = Source::new(&valid.object, valid.inbox.as_ref());
        let outputs = Outputs::new(Arc::clone(&self.outputs), Arc::clone(&self.store), source);
        let outputs = Arc::new(outputs);
        let context = JobContext {
            store: Arc::clone(&self.store),
            outputs: Arc::clone(&outputs),
            deadline,
            progress,
            max_size: self.settings.max_size,
            shutdown: self.shutdown.clone(),
            slot,
        };
        let runner = Arc::clone(self);
        Ok(async move {
            let began = Instant::now();
            let (key, attempt) = (valid.key.clone(), valid.attempt);
            let end = RunEnd::new(Arc::clone(&outputs));
            let answer = runner.process(Job::new(valid, context)).await;
            let answer = end.finish(answer).await;
            let code = answer.as_ref().err().map_or(Code::Ok, |error| error.kind().code());
            metrics::processed(code.into(), began.elapsed());
            // The job's own ends before the last writes.
            drop(held);
            log_result(&key, outputs.run(), attempt, began.elapsed(), &answer.as_ref());
            answer.map(Outcome::into_response).map_err(Arc::new)
        })
    }

    fn acquire_slot(&self) -> Result<OwnedSemaphorePermit, ProcessError> {
        Arc::clone(&self.slots).try_acquire_owned().map_err(|_| {
            ProcessError::full(format!(
                "this worker already processes {} objects, its limit (BRIGADE_CONCURRENCY)",
                self.settings.concurrency()
            ))
        })
    }

    async fn process(&self, job: Job) -> Result<Outcome, ProcessError> {
        // A processor may panic before its first await too, and its error in its conversion.
        let work = async { self.processor.process(&job).await.map_err(Into::into) };
        let done = AssertUnwindSafe(work).catch_unwind().await;
        done.unwrap_or_else(|panic| {
            let why = format!("the processor panicked: {}", panic_message(&*panic));
            Err(ProcessError::internal(why))
        })
    }
}

fn deadline_exceeded(time: Duration, progress: &Progress) -> ProcessError {
    let message = format!("the processor did not end within {time:?}");
    ProcessError::deadline(match progress.last() {
        Some(last) => format!("{message}: {last}"),
        None => message,
    })
}

/// The message of a panic.
fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a message")
}

fn log_result(
    key: &str,
    run: &str,
    attempt: u32,
    took: Duration,
    answer: &Result<&Outcome, &ProcessError>,
) {
    match answer {
        Ok(outcome) => {
            let summary = text::cut(&outcome.summary, MAX_LOGGED);
            tracing::info!(key, run, attempt, ?took, %summary, "processed");
        }
        Err(error) => {
            let (code, reason) = (error.kind().code(), text::cut(error.message(), MAX_LOGGED));
            if error.kind() == ErrorKind::Misconfigured {
                tracing::error!(key, run, attempt, ?took, ?code, %reason, "this worker is misconfigured");
            } else {
                tracing::info!(key, run, attempt, ?took, ?code, %reason, "not processed");
            }
        }
    }
}

#[cfg(test)]
mod tests;
