//! reqwest as a plain tower service, so that the layers of a gRPC channel go around it too.

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

/// Boxed, because with an identity and without one it is of two types.
pub(super) type Stack = BoxCloneSyncService<Request<Bytes>, Response<Body>, BoxError>;

const CONNECT: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub(super) struct Transport(Client);

// === impl Transport ===

impl Transport {
    /// Follows no redirect: a token that is sent on is a token that is lost. In the clear it goes to this machine alone,
    /// and so to no proxy either. It speaks HTTP/1.1, a connection for each call in flight: over HTTP/2 there would be one
    /// for all, with room for 100 calls, and the others would wait in it while their time runs.
    pub(super) fn new(plain: bool) -> reqwest::Result<Self> {
        let builder = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
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
