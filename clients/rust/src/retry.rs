//! When a call is made again.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{Instant, sleep};
use tonic::Code;

use crate::answer::{Answer, TransportError, Wire, WireError};

/// How often, and after which pauses, a call is retried. Only a call that says nothing about its object is retried, or one
/// whose callee asks for time.
///
/// A pause is at least what the callee asks for (`RetryInfo`, `Retry-After`), up to an hour. No pause begins that would end
/// after the call's deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The most retries; 0 disables them.
    pub times: usize,
    /// The first pause. The next ones double, each with a jitter of up to its own length.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

/// The pauses of one call.
#[derive(Debug)]
pub(crate) struct Backoff {
    pauses: ExponentialBackoff,
    deadline: Option<Instant>,
}

/// A callee that asks for more time than this is called again after this.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

// === impl Retry ===

impl Retry {
    /// No call is retried.
    pub const NEVER: Self = Self { times: 0, first: Duration::ZERO, longest: Duration::ZERO };

    /// The pauses of a call that ends at `deadline`.
    pub(crate) fn backoff(self, deadline: Option<Instant>) -> Backoff {
        Backoff {
            // Without a seed, backon jitters every call by the same series.
            pauses: self.pauses(fastrand::u64(..)),
            deadline,
        }
    }

    fn pauses(self, seed: u64) -> ExponentialBackoff {
        ExponentialBuilder::default()
            .with_min_delay(self.first)
            .with_max_delay(self.longest)
            .with_max_times(self.times)
            .with_jitter()
            .with_jitter_seed(seed)
            .build()
    }
}

impl Default for Retry {
    /// Five times, from 250 ms to 10 s.
    fn default() -> Self {
        Self { times: 5, first: Duration::from_millis(250), longest: Duration::from_secs(10) }
    }
}

// === impl Backoff ===

impl Backoff {
    /// Waits before the next attempt, at least for `retry_after`. Returns false, at once, when the call is not to be made
    /// again: `retry_after` is `None`, no retry is left, or the pause would outlast the deadline.
    pub(crate) async fn wait(&mut self, retry_after: Option<Duration>) -> bool {
        let (Some(retry_after), Some(pause)) = (retry_after, self.pauses.next()) else {
            return false;
        };
        let Some(pause) = within(pause, retry_after, self.deadline) else {
            return false;
        };
        sleep(pause).await;
        true
    }
}

/// The longer of the two pauses, unless it would outlast the deadline.
fn within(pause: Duration, retry_after: Duration, deadline: Option<Instant>) -> Option<Duration> {
    let pause = pause.max(retry_after.min(MAX_RETRY_AFTER));
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    left.is_none_or(|left| pause < left).then_some(pause)
}

/// The end of a call with this budget. A budget that the clock cannot represent is a year.
pub(crate) fn deadline(budget: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(budget).unwrap_or_else(|| now + Duration::from_hours(365 * 24))
}

/// After how long the worker may be called again about the same object; `None` when its answer is final. A retry is always
/// safe: calls with one idempotency key have the effect of one.
pub(crate) fn retry_delay_for(answer: &Answer) -> Option<Duration> {
    match answer {
        Answer::Worker(answer) => {
            asks_for_time(answer.code).then(|| answer.retry_after.unwrap_or_default())
        }
        Answer::Transport(
            TransportError::Connect(_)
            | TransportError::NotSent(_)
            | TransportError::Reset(_)
            | TransportError::Ended(_)
            | TransportError::CutShort(_),
        ) => Some(Duration::ZERO),
        Answer::Transport(TransportError::Http { status, retry_after }) => {
            is_transient(*status).then(|| retry_after.unwrap_or_default())
        }
        Answer::Transport(TransportError::Identity { transient, .. }) => {
            transient.then_some(Duration::ZERO)
        }
        Answer::Transport(TransportError::Page { .. } | TransportError::Encoding(_))
        | Answer::TimedOut(_)
        | Answer::TooLarge { .. } => None,
    }
}

/// After how long a poll that has sent no event yet may be started again.
pub(crate) fn poll_retry_delay(code: Code, wire: &Wire) -> Option<Duration> {
    let delay = wire.retry_after.unwrap_or_default();
    match (&wire.error, wire.http_status, wire.grpc_status) {
        (Some(WireError::Failed(TransportError::Identity { transient, .. })), ..) => {
            transient.then_some(delay)
        }
        (Some(WireError::TimedOut), ..) => None,
        (_, Some(200), Some(_)) => {
            matches!(code, Code::Unavailable | Code::ResourceExhausted).then_some(delay)
        }
        (_, Some(200) | None, _) => Some(delay),
        (_, Some(status), _) => is_transient(status).then_some(delay),
    }
}

fn asks_for_time(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::ResourceExhausted | Code::Aborted | Code::Cancelled)
}

/// An HTTP status of a front end that passes without a change of settings.
fn is_transient(status: u16) -> bool {
    status == 429 || status >= 500
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn retry_after_is_honoured_up_to_an_hour_and_overflows_nothing() {
        assert_eq!(within(SECOND, 5 * SECOND, None), Some(5 * SECOND));
        assert_eq!(within(5 * SECOND, SECOND, None), Some(5 * SECOND));
        assert_eq!(within(SECOND, Duration::MAX, None), Some(MAX_RETRY_AFTER));
        let end = Some(Instant::now() + 10 * SECOND);
        assert_eq!(within(SECOND, Duration::MAX, end), None);
        assert_eq!(within(SECOND, 9 * SECOND, end), Some(9 * SECOND));
    }

    #[test]
    fn two_calls_do_not_pause_alike_and_a_seed_repeats_a_series() {
        let retry = Retry::default();
        let series = |pauses: ExponentialBackoff| pauses.collect::<Vec<_>>();
        let random = || series(retry.backoff(None).pauses);
        assert_ne!(random(), random());
        assert_eq!(series(retry.pauses(7)), series(retry.pauses(7)));
    }
}
