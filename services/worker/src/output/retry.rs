//! Calls that change nothing when they are repeated.

use std::time::Duration;

use brigade_storage::Result;
use tokio::time::sleep;

/// Attempts at one call.
const MAX_ATTEMPTS: u32 = 4;
/// The pause before the second attempt; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Repeats a call that fails for a reason that may pass: to fail here would repeat the whole run.
pub(super) async fn transient<T, F: Future<Output = Result<T>>>(
    mut call: impl FnMut() -> F,
) -> Result<T> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..MAX_ATTEMPTS {
        match call().await {
            Err(error) if error.is_transient() => sleep(pause).await,
            done => return done,
        }
        pause *= 2;
    }
    call().await
}
