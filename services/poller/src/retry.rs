//! How storage calls are repeated, and when not.

use std::{future::Future, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBuilder, Retryable as _};
use brigade_storage::{Error, Kind};

/// Pauses between repeated storage calls: jittered, doubling from 100 ms, about 12 s in all.
pub(crate) fn pauses() -> impl Iterator<Item = Duration> + Send {
    policy().build()
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

const MAX_WISH: Duration = Duration::from_secs(30);

fn policy() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(5))
        .with_max_times(6)
        .with_jitter()
}
