//! The client of a worker that speaks HTTP instead of gRPC: an existing service that takes JSON and returns 200 or 500.

mod answer;
mod body;
mod page;
mod words;

use std::{sync::Arc, time::Duration};

use brigade_proto::v1::ProcessRequest;
use bytes::Bytes;
use http::{
    Request, Response, Uri,
    header::{ACCEPT, CONTENT_TYPE},
};
use reqwest::{Body, Client, redirect::Policy};
use tokio::time::{Instant, timeout, timeout_at};
use tower::{Layer as _, ServiceExt as _, service_fn, util::BoxCloneSyncService};
use url::Url;

use crate::{
    answer::{Answer, TransportError},
    connect::{self, CONNECT_TIMEOUT, ConnectError},
    identity::{TokenSource, attach::Attached, is_direct, origin, without_tls},
    observe,
    renewal::Tokens,
    retry::deadline,
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Boxed, because the type differs with and without an identity.
type Stack = BoxCloneSyncService<Request<Bytes>, Response<Body>, BoxError>;

/// Calls one HTTP worker. Cloning is cheap: clones share the connections.
///
/// Each call is a POST to the worker's URL, path and query included. Its body is the request in proto3 JSON, with the
/// object's `bucket`, `name` and `generation` at the top as well, so that a service which takes `{"bucket": …, "name": …}`
/// works unchanged. 200 accepts, unless it is a web page. 500 refuses, and so do 400, 409, 410, 413, 415 and 422 with words;
/// a front end's page does not. 429, and 503 with `Retry-After`, say that the worker is busy. No other status counts as one that
/// the worker itself returned, except with the `reason` of a Bucket Brigade worker.
#[derive(Clone, Debug)]
pub struct HttpWorkerClient {
    stack: Stack,
    uri: Uri,
    /// The URL's origin and `/`.
    root: Uri,
    tokens: Tokens,
}

// === impl HttpWorkerClient ===

impl HttpWorkerClient {
    /// A client of the worker at `url`. Without an identity it sends no token. The audience is the URL's origin unless
    /// another is given.
    pub fn new(
        url: &Url,
        identity: Option<Arc<dyn TokenSource>>,
        audience: Option<&str>,
    ) -> Result<Self, ConnectError> {
        connect::check(url)?;
        let parse = |text: &str| text.parse().map_err(|_| ConnectError::Url(url.to_string()));
        let (uri, root) = (parse(url.as_str())?, parse(&format!("{}/", origin(url)))?);
        let tokens = Tokens::new(url, identity, audience);
        let client =
            http_client(url).map_err(|error| ConnectError::Client { url: origin(url), error })?;
        // reqwest as a plain service, so that the layers of a gRPC channel fit around it.
        let transport = service_fn(move |mut request: Request<Bytes>| {
            brigade_telemetry::inject(request.headers_mut());
            let client = client.clone();
            async move { Ok::<_, reqwest::Error>(client.execute(request.try_into()?).await?.into()) }
        });
        let stack = match connect::attach_layer(url, &tokens)? {
            Some(attach) => Stack::new(attach.layer(transport)),
            None => Stack::new(transport.map_err(Into::into)),
        };
        Ok(Self { stack, uri, root, tokens })
    }

    /// Asks the worker to process one object, for at most `budget`. Within that budget, a call that
    /// was not sent is made once more, and a refused token is renewed once.
    pub async fn process(&self, request: ProcessRequest, budget: Duration) -> Answer {
        let end = deadline(budget);
        let body = body::from_request(&request);
        let call = |attached| self.call(body.clone(), budget, end, attached);
        self.tokens.call(call).await
    }

    /// Whether something answers a GET of the worker's origin within `limit`, with any status below 500. A redirect is an
    /// answer, and is not followed.
    pub async fn is_reachable(&self, limit: Duration) -> bool {
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = self.root.clone();
        match timeout(limit, self.stack.clone().oneshot(request)).await {
            Ok(Ok(response)) => !response.status().is_server_error(),
            Ok(Err(_)) | Err(_) => false,
        }
    }

    async fn call(
        &self,
        body: Bytes,
        budget: Duration,
        end: Instant,
        attached: Attached,
    ) -> Answer {
        let span = observe::http_call(&self.tokens.address);
        let mut request = Request::new(body);
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.uri.clone();
        let json = http::HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json.clone());
        request.headers_mut().insert(ACCEPT, json);
        request.extensions_mut().insert(attached);
        let call = async {
            let response = self.stack.clone().oneshot(request).await?;
            Ok(answer::from_response(response).await)
        };
        let answer = match timeout_at(end, span.around(call)).await {
            Ok(answer) => answer.unwrap_or_else(|error: BoxError| {
                Answer::Transport(TransportError::from_error(&*error))
            }),
            Err(_) => Answer::TimedOut(budget),
        };
        observe::answered(&span, &answer);
        answer
    }
}

/// Follows no redirect: that would send the token elsewhere. What goes to this machine goes through no proxy.
/// It speaks HTTP/1.1, one connection for each call in flight: over HTTP/2 all calls would share one connection with 100
/// streams, and further calls would wait in it while their time runs.
fn http_client(url: &Url) -> reqwest::Result<Client> {
    let mut builder = Client::builder()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http1_only();
    if is_direct(url) {
        builder = builder.no_proxy();
    }
    if url.scheme() == "http" {
        builder = without_tls(builder);
    }
    builder.build()
}
