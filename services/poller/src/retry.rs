//! How long to wait before a call is repeated, and when not to repeat it.

use std::{future::Future, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use brigade_storage::{Bucket, Error, Kind, Object};
use tokio::time::sleep;

/// The first and the longest pause before an object is moved again that storage refuses to move.
pub(crate) const MOVE_RETRY_MIN: Duration = Duration::from_mins(1);
pub(crate) const MOVE_RETRY_MAX: Duration = Duration::from_hours(1);

/// A longer pause that storage asks for is cut to this.
const MAX_STORAGE_PAUSE: Duration = Duration::from_secs(30);

/// The same for the worker, which may load for a long time.
const MAX_WORKER_PAUSE: Duration = Duration::from_hours(1);

/// After this many steps no pause grows any more.
const MAX_STEPS: u32 = 10;

/// The pauses between repeated storage calls: jittered, doubling from 100 ms, about 12 s in all.
#[derive(Debug)]
pub(crate) struct Backoff(ExponentialBackoff);

// === impl Backoff ===

impl Backoff {
    pub(crate) fn new() -> Self {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(5))
            .with_max_times(6)
            .with_jitter();
        Self(pauses.build())
    }

    /// Waits before the call that failed so is repeated. The error comes back when it was repeated often enough.
    pub(crate) async fn wait(&mut self, error: Error) -> Result<(), Error> {
        let pause = self.next(error)?;
        sleep(pause).await;
        Ok(())
    }

    /// The pause that [`Backoff::wait`] would wait: at least what the service asked for, within reason.
    pub(crate) fn next(&mut self, error: Error) -> Result<Duration, Error> {
        let asked = match error.kind() {
            Kind::Busy { retry_after: Some(pause) } => (*pause).min(MAX_STORAGE_PAUSE),
            _ => Duration::ZERO,
        };
        let pause = self.0.next().ok_or(error)?;
        Ok(pause.max(asked))
    }
}

/// Repeats a call while its error is transient. Only for a call that changes nothing, or that names a generation.
pub(crate) async fn repeated<T, F>(mut call: impl FnMut() -> F + Send) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>> + Send,
{
    let mut backoff = Backoff::new();
    loop {
        match call().await {
            Err(error) if error.is_transient() => backoff.wait(error).await?,
            result => return result,
        }
    }
}

/// The live object of this name, if there is one.
pub(crate) async fn live_object(bucket: &dyn Bucket, name: &str) -> Result<Option<Object>, Error> {
    match repeated(|| bucket.get(name)).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether something else is there than the call named, perhaps by its own first try.
pub(crate) fn is_conflict(error: &Error) -> bool {
    error.is_precondition() || error.is_not_found()
}

/// Whether only a look tells what became of the object.
pub(crate) fn leaves_open(error: &Error) -> bool {
    is_conflict(error) || error.is_transient()
}

/// The pause after an object's `attempts`th attempt: jittered, from 2 s, four times as long after each, up to 15 min.
/// Five attempts take about four minutes, so that a worker whose own database restarts fails nothing.
pub(crate) fn attempt_pause(attempts: u32) -> Duration {
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(2))
        .with_factor(4.0)
        .with_max_delay(Duration::from_mins(15))
        .without_max_times()
        .with_jitter()
        .build();
    let before = attempts.saturating_sub(1).min(MAX_STEPS);
    pauses.nth(before as usize).unwrap_or_default()
}

/// Pauses between calls of the worker that are no attempts: jittered, doubling from 250 ms up to 10 s.
pub(crate) fn worker_pauses() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(10))
        .without_max_times()
        .with_jitter()
        .build()
}

/// The pause that a worker asked for, within reason.
pub(crate) fn worker_retry_after(asked: Option<Duration>) -> Duration {
    asked.unwrap_or_default().min(MAX_WORKER_PAUSE)
}
