//! Repeats a call that is safe to repeat: with a new token when the poller refuses one, and after a pause when the poller or
//! the transport is unavailable.

use tokio::time::Instant;
use tonic::{Code, Request, Status};

use crate::{
    answer::Record,
    identity::attach::Attached,
    renewal::Tokens,
    retry::{Retry, poll_retry_delay},
};

/// Makes `call` until it succeeds, or fails for good, or there is no time for another one before `end`.
///
/// A refused token is renewed once: it may have expired on its way, or its key may have been withdrawn.
pub(crate) async fn repeat<R: Clone, T, F>(
    message: R,
    (tokens, retry, end): (&Tokens, &Retry, Option<Instant>),
    // No `AsyncFn`: a task cannot run a future that borrows in one.
    call: impl Fn(Request<R>) -> F,
) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    let mut backoff = retry.backoff(end);
    let mut may_renew = true;
    loop {
        let (record, attached) = (Record::default(), Attached::default());
        let mut request = Request::new(message.clone());
        request.extensions_mut().insert(record.clone());
        request.extensions_mut().insert(attached.clone());
        if let Some(end) = end {
            request.set_timeout(end.saturating_duration_since(Instant::now()));
        }
        let status = match call(request).await {
            Ok(answer) => return Ok(answer),
            Err(status) => status,
        };
        if may_renew && status.code() == Code::Unauthenticated && tokens.invalidate(&attached) {
            may_renew = false;
            continue;
        }
        let delay = poll_retry_delay(status.code(), &record.wire());
        if !backoff.wait(delay).await {
            return Err(status);
        }
    }
}
