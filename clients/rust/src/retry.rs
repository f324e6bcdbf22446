//! When a call is made again.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;
use tonic::Code;

use crate::answer::{Answer, TransportError, Wire, WireError};

/// How often, and after which pauses, a call is made again that may be: one that says nothing about its object, or whose
/// callee asks for time.
///
/// A pause is at least what the callee asks for (`RetryInfo`, `Retry-After`), up to an hour. None is begun that the call's
/// deadline would end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often at most; 0 is never.
    pub times: usize,
    /// The first pause. The next ones double, each with a jitter of up to its own length.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

// === impl Retry ===

impl Retry {
    /// No call is made again.
    pub const NEVER: Self = Self {
        times: 0,
        first: Duration::ZERO,
        longest: Duration::ZERO,
    };

    pub(crate) fn pauses(self) -> ExponentialBackoff {
        ExponentialBuilder::default()
            .with_min_delay(self.first)
            .with_max_delay(self.longest)
            .with_max_times(self.times)
            .with_jitter()
            .build()
    }
}

impl Default for Retry {
    /// Five times, from 250 ms to 10 s.
    fn default() -> Self {
        Self {
            times: 5,
            first: Duration::from_millis(250),
            longest: Duration::from_secs(10),
        }
    }
}

/// No callee is waited for longer.
const LONGEST_WISH: Duration = Duration::from_hours(1);

/// The next pause, as long as the callee wishes; nothing when it would not end before the call does.
pub(crate) fn pause(next: Duration, wish: Duration, end: Option<Instant>) -> Option<Duration> {
    let pause = next.max(wish.min(LONGEST_WISH));
    let left = end.map(|end| end.saturating_duration_since(Instant::now()));
    left.is_none_or(|left| pause < left).then_some(pause)
}

/// Whether an object may be asked about again, and how long its worker wants to be left alone. It always is safe: a call
/// of the same key has the effect of one.
pub(crate) fn worker_wish(answer: &Answer) -> Option<Duration> {
    match answer {
        Answer::Worker(answer) => {
            asks_for_time(answer.code).then(|| answer.retry_after.unwrap_or_default())
        }
        Answer::Transport(
            TransportError::Connect(_) | TransportError::Reset(_) | TransportError::CutShort(_),
        ) => Some(Duration::ZERO),
        Answer::Transport(TransportError::Http {
            status,
            retry_after,
        }) => is_passing(*status).then(|| retry_after.unwrap_or_default()),
        Answer::Transport(TransportError::Identity { transient, .. }) => {
            transient.then_some(Duration::ZERO)
        }
        Answer::TimedOut(_) | Answer::TooLarge { .. } => None,
    }
}

/// Whether a poll that brought no event yet may be begun again.
pub(crate) fn poll_wish(code: Code, wire: &Wire) -> Option<Duration> {
    let wish = wire.retry_after.unwrap_or_default();
    match (&wire.error, wire.http_status, wire.grpc_status) {
        (Some(WireError::Identity { transient, .. }), ..) => transient.then_some(wish),
        (Some(WireError::TimedOut), ..) => None,
        (_, Some(200), Some(_)) => {
            matches!(code, Code::Unavailable | Code::ResourceExhausted).then_some(wish)
        }
        (_, Some(200) | None, _) => Some(wish),
        (_, Some(status), _) => is_passing(status).then_some(wish),
    }
}

fn asks_for_time(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable | Code::ResourceExhausted | Code::Aborted | Code::Cancelled
    )
}

/// An HTTP status of a front end that goes away by itself.
fn is_passing(status: u16) -> bool {
    status == 429 || status >= 500
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_wish_is_kept_up_to_an_hour_and_overflows_nothing() {
        assert_eq!(pause(SECOND, 5 * SECOND, None), Some(5 * SECOND));
        assert_eq!(pause(5 * SECOND, SECOND, None), Some(5 * SECOND));
        assert_eq!(pause(SECOND, Duration::MAX, None), Some(LONGEST_WISH));
        let end = Some(Instant::now() + 10 * SECOND);
        assert_eq!(pause(SECOND, Duration::MAX, end), None);
        assert_eq!(pause(SECOND, 9 * SECOND, end), Some(9 * SECOND));
    }
}
