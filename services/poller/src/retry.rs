//! How long to wait before a call is repeated, and when not to repeat it.

use std::{future::Future, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use brigade_storage::{Bucket, Error, Kind, Object};
use tokio::time::sleep;

use crate::jitter;

/// The first and the longest pause before an object is moved again that storage refuses to move.
pub(crate) const MOVE_RETRY_MIN: Duration = Duration::from_mins(1);
pub(crate) const MOVE_RETRY_MAX: Duration = Duration::from_hours(1);

/// A longer pause that storage asks for is cut to this.
const MAX_STORAGE_PAUSE: Duration = Duration::from_secs(30);

/// The same for the worker, which may load for a long time.
const MAX_WORKER_PAUSE: Duration = Duration::from_hours(1);

/// The pause after the first attempt is at most this, and that after any attempt.
const ATTEMPT_PAUSE_FIRST: Duration = Duration::from_secs(4);
const ATTEMPT_PAUSE_MAX: Duration = Duration::from_mins(15);

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
            .with_jitter()
            // Without a seed, backon jitters all calls by the same series.
            .with_jitter_seed(fastrand::u64(..));
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

/// The pause after an object's `attempts`th attempt: jittered, from 2 s to 4 s, four times as long after each, up to
/// 15 min. Five attempts take about four minutes, so that a worker whose own database restarts fails nothing.
pub(crate) fn attempt_pause(attempts: u32) -> Duration {
    jitter::upper_half(ATTEMPT_PAUSE_FIRST, 4.0, ATTEMPT_PAUSE_MAX, attempts.saturating_sub(1))
}

/// The pause after an answer that may be about the wiring: from 1 min, four times as long after each, up to 1 h.
pub(crate) fn doubt_pause(attempts: u32) -> Duration {
    let step = attempts.saturating_sub(1);
    jitter::upper_half(MOVE_RETRY_MIN, 4.0, MAX_WORKER_PAUSE, step)
}

/// The pause after the `failures`th call of a queue that failed.
pub(crate) fn queue_pause(failures: u32) -> Duration {
    let (base, cap) = (Duration::from_millis(250), Duration::from_secs(10));
    jitter::upper_half(base, 2.0, cap, failures)
}

/// The pause that a worker asked for, within reason.
pub(crate) fn worker_retry_after(asked: Option<Duration>) -> Duration {
    asked.unwrap_or_default().min(MAX_WORKER_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn five_attempts_take_about_four_minutes_and_no_pause_exceeds_fifteen() {
        for _ in 0..100 {
            let pauses: Vec<_> = (1..=4).map(attempt_pause).collect();
            for (pause, longest) in pauses.iter().zip([4, 16, 64, 256]) {
                let longest = longest * SECOND;
                assert!(*pause >= longest / 2 && *pause <= longest, "{pauses:?}");
            }
            let last = attempt_pause(u32::MAX);
            assert!(last >= 450 * SECOND && last <= 900 * SECOND, "{last:?}");
        }
    }

    #[test]
    fn the_storage_pauses_of_two_calls_differ_and_one_seed_repeats() {
        let pauses = || Backoff::new().0.collect::<Vec<_>>();
        fastrand::seed(1);
        let (first, second) = (pauses(), pauses());
        assert_ne!(first, second);
        fastrand::seed(1);
        assert_eq!(pauses(), first);
        assert!(first.iter().sum::<Duration>() <= 17 * SECOND, "{first:?}");
    }
}
