//! How calls are repeated, and when not.

use std::{future::Future, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder, Retryable as _};
use brigade_storage::{Error, Kind};

/// Nobody is obeyed who asks to wait longer than this.
const MAX_WISH: Duration = Duration::from_secs(30);

/// A worker may ask for more: what it loads can take its time.
const MAX_WORKER_WISH: Duration = Duration::from_hours(1);

/// More than this many steps change no pause any more.
const MAX_STEPS: u32 = 10;

/// Pauses between repeated storage calls: jittered, doubling from 100 ms, about 12 s in all.
pub(crate) fn pauses() -> impl Iterator<Item = Duration> + Send {
    policy().build()
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

/// Pauses between calls that say nothing about their object: jittered, doubling from 250 ms up to 10 s.
pub(crate) fn worker_pauses() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(10))
        .without_max_times()
        .with_jitter()
        .build()
}

/// Repeats a call that changes nothing while its error is one that heals with time.
pub(crate) async fn reading<T, F>(call: impl FnMut() -> F + Send) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>> + Send,
{
    call.retry(policy())
        .when(Error::is_transient)
        .adjust(|error, pause| pause.map(|pause| pause.max(wished(error))))
        .await
}

/// How long the service itself asked to wait, within reason.
pub(crate) fn wished(error: &Error) -> Duration {
    match error.kind() {
        Kind::Busy {
            retry_after: Some(wish),
        } => (*wish).min(MAX_WISH),
        _ => Duration::ZERO,
    }
}

/// How long a worker asked to wait, within reason.
pub(crate) fn wished_by_worker(wish: Option<Duration>) -> Duration {
    wish.unwrap_or_default().min(MAX_WORKER_WISH)
}

fn policy() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(6)
        .with_jitter()
}
