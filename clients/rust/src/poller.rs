//! The client of a poller.

use std::{sync::Arc, time::Duration};

use brigade_proto::{
    MAX_MESSAGE,
    v1::{PollRequest, PollResponse, poller_service_client::PollerServiceClient},
};
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Status, Streaming};
use url::Url;

use crate::{
    connect::{ConnectError, Stack, from_environment, stack},
    identity::TokenSource,
    renewal::Tokens,
    repeat::repeat,
    retry::Retry,
};

/// The poller ends a poll by the deadline that it receives; our own timer catches a poller that does not.
const SLACK: Duration = Duration::from_secs(5);

/// Calls one poller. Cloning is cheap: clones share the connections, and a connection is opened when the calls in flight
/// need it.
///
/// ```no_run
#[doc = include_str!("../examples/poll.rs")]
/// ```
#[derive(Clone, Debug)]
pub struct PollerClient {
    client: PollerServiceClient<Stack>,
    tokens: Tokens,
    retry: Retry,
    deadline: Option<Duration>,
}

/// The events of one poll, as they happen. Dropping them cancels the poll: nothing new is dispatched, and objects in
/// flight settle.
#[derive(Debug)]
pub struct Events {
    first: Option<PollResponse>,
    rest: Streaming<PollResponse>,
    end: Option<Instant>,
}

// === impl PollerClient ===

impl PollerClient {
    /// A client of the poller at `url` with the identity of this environment
    /// ([`identity::source`](crate::identity::source)) and the default [`Retry`]. Nothing is sent before the first call.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When `url` is not that of a service, a token could be read on its way there, or the key file is invalid.
    pub fn connect(url: impl AsRef<str>) -> Result<Self, ConnectError> {
        let (url, identity) = from_environment(url.as_ref())?;
        Ok(Self::new(&url, Some(identity), None)?.with_retry(Retry::default()))
    }

    /// A client of the poller at `url`; it connects at its first call. Without an identity it sends no token. The
    /// audience is the URL's origin unless another is given. No call is retried without
    /// [`with_retry`](Self::with_retry).
    pub fn new(
        url: &Url,
        identity: Option<Arc<dyn TokenSource>>,
        audience: Option<&str>,
    ) -> Result<Self, ConnectError> {
        let tokens = Tokens::new(url, identity, audience);
        let stack = stack(url, &tokens)?;
        let client = PollerServiceClient::new(stack).max_decoding_message_size(MAX_MESSAGE);
        Ok(Self { client, tokens, retry: Retry::NEVER, deadline: None })
    }

    /// Starts a poll again that has sent no event yet, when the poller or the transport is unavailable. A poll that has sent
    /// an event is never repeated.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Limits a poll, with all its retries, to this long. The poller receives the deadline: it dispatches no object that
    /// could not end by then, and its last event says that there is more. Without a deadline the poller's own settings
    /// limit the poll.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Polls once, and returns when the first event has arrived.
    ///
    /// A refused token is renewed once: it may have expired on its way, or its key may have been withdrawn.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION` when a setting must be fixed first (the message says which), `UNAVAILABLE` when the
    /// poller, its worker or its storage is unavailable, `DEADLINE_EXCEEDED` after [`with_deadline`](Self::with_deadline).
    pub async fn poll(&self, request: PollRequest) -> Result<Events, Status> {
        // A deadline that the clock cannot represent is none.
        let end = self.deadline.and_then(|time| Instant::now().checked_add(time));
        repeat(request, (&self.tokens, &self.retry, end), |request| {
            let mut client = self.client.clone();
            async move {
                let mut rest = within(end, client.poll(request)).await?.into_inner();
                let first = within(end, rest.message()).await?;
                Ok(Events { first, rest, end })
            }
        })
        .await
    }
}

// === impl Events ===

impl Events {
    /// The next event; nothing after the last one.
    pub async fn message(&mut self) -> Result<Option<PollResponse>, Status> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => within(self.end, self.rest.message()).await,
        }
    }
}

/// Reports the deadline as such: the transport has its own timer for it, and reports that one as `CANCELLED`.
async fn within<T>(
    end: Option<Instant>,
    answer: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let Some(end) = end else {
        return answer.await;
    };
    let late = || Status::deadline_exceeded("the poll did not end before its deadline");
    match timeout_at(end + SLACK, answer).await {
        Ok(Err(status)) if status.code() == Code::Cancelled && Instant::now() >= end => Err(late()),
        Ok(answer) => answer,
        Err(_) => Err(late()),
    }
}
