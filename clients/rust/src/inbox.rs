//! The client of a poller's inbox: its status, its objects, and their replay.

use std::sync::Arc;

use brigade_proto::v1::{
    GetObjectRequest, GetObjectResponse, GetStatusRequest, GetStatusResponse, ListObjectsRequest,
    ListObjectsResponse, ReplayObjectsRequest, ReplayObjectsResponse, WatchEventsRequest,
    WatchEventsResponse, inbox_service_client::InboxServiceClient,
};
use tonic::{Request, Status, Streaming};
use url::Url;

use crate::{
    connect::{ConnectError, Stack, from_environment, stack},
    identity::TokenSource,
    renewal::Tokens,
    repeat::repeat,
    retry::Retry,
};

/// Sees what one poller has, and moves failed objects back. Cloning is cheap: clones share the connections.
///
/// Every call is safe to repeat. One that fails before its first response is made again, as its [`Retry`] says; a stream that breaks off later is
/// continued by its caller, with the page token of the last response.
#[derive(Clone, Debug)]
pub struct InboxClient {
    client: InboxServiceClient<Stack>,
    tokens: Tokens,
    retry: Retry,
}

// === impl InboxClient ===

impl InboxClient {
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
        let client = InboxServiceClient::new(stack(url, &tokens)?);
        Ok(Self { client, tokens, retry: Retry::NEVER })
    }

    /// Makes a call again when the poller or the transport is unavailable.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// How much waits, is in flight and was settled.
    pub async fn status(&self, request: GetStatusRequest) -> Result<GetStatusResponse, Status> {
        self.call(request, |mut client, request| async move { client.get_status(request).await })
            .await
    }

    /// The objects of one place, in the order of their names.
    pub async fn list(
        &self,
        request: ListObjectsRequest,
    ) -> Result<Streaming<ListObjectsResponse>, Status> {
        self.call(request, |mut client, request| async move { client.list_objects(request).await })
            .await
    }

    /// All that is known of one object.
    pub async fn object(&self, request: GetObjectRequest) -> Result<GetObjectResponse, Status> {
        self.call(request, |mut client, request| async move { client.get_object(request).await })
            .await
    }

    /// Moves failed objects back into the inbox.
    pub async fn replay(
        &self,
        request: ReplayObjectsRequest,
    ) -> Result<Streaming<ReplayObjectsResponse>, Status> {
        self.call(
            request,
            |mut client, request| async move { client.replay_objects(request).await },
        )
        .await
    }

    /// What the instance that answers does, as it happens. It ends when it is dropped.
    pub async fn watch(&self) -> Result<Streaming<WatchEventsResponse>, Status> {
        let request = WatchEventsRequest {};
        self.call(request, |mut client, request| async move { client.watch_events(request).await })
            .await
    }

    async fn call<R: Clone, T, F>(
        &self,
        message: R,
        call: impl Fn(InboxServiceClient<Stack>, Request<R>) -> F,
    ) -> Result<T, Status>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let answer = repeat(message, (&self.tokens, &self.retry, None), |request| {
            call(self.client.clone(), request)
        });
        Ok(answer.await?.into_inner())
    }
}
