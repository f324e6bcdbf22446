//! The client of a worker that speaks HTTP instead of gRPC: an existing service that takes JSON and returns 200 or 500.

mod answer;
mod body;
mod transport;

use std::{fmt, sync::Arc, time::Duration};

use brigade_proto::v1::ProcessRequest;
use bytes::Bytes;
use http::{
    Request, Uri,
    header::{ACCEPT, CONTENT_TYPE},
};
use tokio::time::{Instant, timeout_at};
use tower::{Layer as _, Service as _, ServiceExt as _};
use url::Url;

use self::transport::{Stack, Transport};
use crate::{
    answer::Answer,
    connect::ConnectError,
    identity::{
        TokenSource,
        attach::{AttachLayer, Attached},
        origin,
    },
    renewal::should_renew,
    retry::deadline,
};

/// Calls one HTTP worker. Cloning is cheap: clones share the connections.
///
/// Each call is a POST to the worker's URL, path and query included. Its body is the request in proto3 JSON, with the
/// object's `bucket`, `name` and `generation` at the top as well, so that a service which takes `{"bucket": …, "name": …}`
/// works unchanged. 200 accepts; 500 refuses, unless it is the error page of Google's front end. 429, 502, 503 and 504 never
/// count as a status that the worker itself returned.
#[derive(Clone)]
pub struct HttpWorkerClient {
    stack: Stack,
    uri: Uri,
    identity: Option<Arc<dyn TokenSource>>,
    audience: String,
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
        let uri: Uri = url
            .as_str()
            .parse()
            .map_err(|_| ConnectError::Url(url.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(ConnectError::Url(url.to_string()));
        }
        let transport =
            Transport::new(url.scheme() == "http").map_err(|error| ConnectError::Client {
                url: origin(url),
                error,
            })?;
        let stack = match identity.clone() {
            Some(source) => Stack::new(AttachLayer::new(source, url, audience)?.layer(transport)),
            None => Stack::new(transport.map_err(Into::into)),
        };
        Ok(Self {
            stack,
            uri,
            identity,
            audience: audience.map_or_else(|| origin(url), str::to_owned),
        })
    }

    /// Asks the worker to process one object, for at most `budget`. A refused token is renewed once, within that budget.
    pub async fn process(&self, request: ProcessRequest, budget: Duration) -> Answer {
        let end = deadline(budget);
        let body = body::from_request(&request);
        let attached = Attached::default();
        let answer = self.call(body.clone(), budget, end, &attached).await;
        let identity = self.identity.as_deref();
        if !should_renew(&answer, identity, &self.audience, &attached) {
            return answer;
        }
        self.call(body, budget, end, &Attached::default()).await
    }

    async fn call(
        &self,
        body: Bytes,
        budget: Duration,
        end: Instant,
        attached: &Attached,
    ) -> Answer {
        let mut request = Request::new(body);
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.uri.clone();
        let json = http::HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json.clone());
        request.headers_mut().insert(ACCEPT, json);
        request.extensions_mut().insert(attached.clone());
        let mut stack = self.stack.clone();
        let call = async {
            let response = stack.ready().await?.call(request).await?;
            Ok(answer::from_response(response).await)
        };
        match timeout_at(end, call).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => answer::from_error(&error),
            Err(_) => Answer::TimedOut(budget),
        }
    }
}

impl fmt::Debug for HttpWorkerClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpWorkerClient")
            .field("uri", &self.uri)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}
