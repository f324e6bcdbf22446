//! reqwest as a plain tower service, so that the layers of a gRPC channel fit around it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use reqwest::{Body, Client, redirect::Policy};
use tower::{Service, util::BoxCloneSyncService};

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Boxed, because the type differs with and without an identity.
pub(super) type Stack = BoxCloneSyncService<Request<Bytes>, Response<Body>, BoxError>;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub(super) struct Transport(Client);

// === impl Transport ===

impl Transport {
    /// Follows no redirect: that would send the token elsewhere. Plain HTTP goes to this machine only, so through no proxy.
    /// It speaks HTTP/1.1, one connection for each call in flight: over HTTP/2 all calls would share one connection with 100
    /// streams, and further calls would wait in it while their time runs.
    pub(super) fn new(plain: bool) -> reqwest::Result<Self> {
        let builder = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http1_only();
        let builder = if plain { builder.no_proxy() } else { builder };
        builder.build().map(Self)
    }
}

impl Service<Request<Bytes>> for Transport {
    type Response = Response<Body>;
    type Error = reqwest::Error;
    type Future = Pin<Box<dyn Future<Output = reqwest::Result<Response<Body>>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<reqwest::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let client = self.0.clone();
        Box::pin(async move {
            let request = reqwest::Request::try_from(request)?;
            Ok(client.execute(request).await?.into())
        })
    }
}
