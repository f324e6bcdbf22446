//! The client of a worker.

use std::{sync::Arc, time::Duration};

use brigade_proto::{
    MAX_MESSAGE,
    v1::{ProcessRequest, worker_service_client::WorkerServiceClient},
};
use tokio::time::{Instant, timeout, timeout_at};
use tonic::{Code, codec::CompressionEncoding};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use url::Url;

use crate::{
    answer::{Answer, Record, classify},
    connect::{ConnectError, Stack, from_environment, stack},
    identity::{TokenSource, attach::Attached},
    observe,
    renewal::Tokens,
    retry::{self, Retry, retry_delay_for},
};

/// The transport runs its own timer for the deadline that it announces; ours must fire first.
const TRANSPORT_SLACK: Duration = Duration::from_secs(1);

/// Calls one worker. Cloning is cheap: clones share the connections, and a connection is opened when the calls in flight
/// need it.
///
/// ```no_run
#[doc = include_str!("../examples/process.rs")]
/// ```
#[derive(Clone, Debug)]
pub struct WorkerClient {
    client: WorkerServiceClient<Stack>,
    health: HealthClient<Stack>,
    tokens: Tokens,
    retry: Retry,
}

impl WorkerClient {
    /// A client of the worker at `url` with the identity of this environment
    /// ([`identity::source`](crate::identity::source)) and the default [`Retry`]. Nothing is sent before the first call.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When `url` is not that of a service, a token could be read on its way there, or the key file is invalid.
    pub fn connect(url: impl AsRef<str>) -> Result<Self, ConnectError> {
        let (url, identity) = from_environment(url.as_ref())?;
        Ok(Self::new(&url, Some(identity), None)?.with_retry(Retry::default()))
    }

    /// A client of the worker at `url`; it connects at its first call. Without an identity it sends no token. The
    /// audience is the URL's origin unless another is given. No call is retried without
    /// [`with_retry`](Self::with_retry).
    pub fn new(
        url: &Url,
        identity: Option<Arc<dyn TokenSource>>,
        audience: Option<&str>,
    ) -> Result<Self, ConnectError> {
        let tokens = Tokens::new(url, identity, audience);
        let stack = stack(url, &tokens)?;
        let health = HealthClient::new(stack.clone()).max_decoding_message_size(MAX_MESSAGE);
        let client = WorkerServiceClient::new(stack)
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        Ok(Self { client, health, tokens, retry: Retry::NEVER })
    }

    /// Retries, within a call's budget, when the worker asks for time or the transport fails. That is safe: two calls with
    /// one idempotency key have the effect of one.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Asks the worker to process one object. All attempts together take at most `budget`, which is sent to the worker as
    /// its deadline. A missing idempotency key is the object's own. [`Answer::into_result`] turns the answer into gRPC's
    /// usual result.
    ///
    /// Within the same budget and whatever the [`Retry`], a call that the worker's server did not take is made once more,
    /// and a refused token is renewed once: it may have expired on its way, or its key may have been withdrawn.
    pub async fn process(&self, mut request: ProcessRequest, budget: Duration) -> Answer {
        if request.idempotency_key.is_empty()
            && let Some(object) = &request.object
        {
            request.idempotency_key = object.idempotency_key();
        }
        let end = retry::deadline(budget);
        let mut backoff = self.retry.backoff(Some(end));
        loop {
            let call = |attached| self.call(request.clone(), budget, end, attached);
            let answer = self.tokens.call(call).await;
            if !backoff.wait(retry_delay_for(&answer)).await {
                return answer;
            }
        }
    }

    /// Whether the worker answers a health check (`grpc.health.v1.Health/Check` of the whole server) within `limit`, and not
    /// with `NOT_SERVING`. Any status of its own will do, since a worker need not serve that check. A front end's answer does
    /// not count, nor `UNAVAILABLE`, which proxies return for a worker that is gone.
    pub async fn is_reachable(&self, limit: Duration) -> bool {
        let record = Record::default();
        let mut request = tonic::Request::new(HealthCheckRequest::default());
        request.extensions_mut().insert(record.clone());
        let mut health = self.health.clone();
        match timeout(limit, health.check(request)).await {
            Ok(Ok(answer)) => answer.into_inner().status() != ServingStatus::NotServing,
            Ok(Err(status)) => {
                let wire = record.wire();
                let is_own = wire.http_status == Some(200) && wire.grpc_status.is_some();
                is_own && status.code() != Code::Unavailable
            }
            Err(_) => false,
        }
    }

    async fn call(
        &self,
        request: ProcessRequest,
        budget: Duration,
        end: Instant,
        attached: Attached,
    ) -> Answer {
        let span = observe::grpc_call(&self.tokens.address);
        let record = Record::default();
        let key = request.idempotency_key.clone();
        let mut request = tonic::Request::new(request);
        request.set_timeout(
            end.saturating_duration_since(Instant::now()).saturating_add(TRANSPORT_SLACK),
        );
        request.extensions_mut().insert(record.clone());
        request.extensions_mut().insert(attached);
        let mut client = self.client.clone();
        let answer = match timeout_at(end, span.around(client.process(request))).await {
            Ok(result) => {
                classify(result.map(tonic::Response::into_inner), &record.wire(), &key, budget)
            }
            Err(_) => Answer::TimedOut(budget),
        };
        observe::answered(&span, &answer);
        answer
    }
}
