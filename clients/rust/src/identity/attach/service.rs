//! The service that attaches.

use std::task::{Context, Poll};

use http::{Request, Response};
use tower::Service;

use super::{
    attached::{BoxError, Identity, attach},
    future::AttachFuture,
};

/// Attaches a token to each call of the inner service.
#[derive(Clone, Debug)]
pub struct Attach<S> {
    inner: S,
    identity: Identity,
}

impl<S> Attach<S> {
    pub(super) fn new(inner: S, identity: Identity) -> Self {
        Self { inner, identity }
    }
}

impl<S, B, R> Service<Request<B>> for Attach<S>
where
    S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>> + Clone,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = AttachFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let identity = self.identity.clone();
        if let Some(token) = identity.source.ready(&identity.audience) {
            attach(&mut request, &token);
            return AttachFuture::called(self.inner.call(request), identity, token);
        }
        // Only this instance was polled ready, so it makes the call; its clone stays behind.
        let ready = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, ready);
        AttachFuture::waiting(ready, request, identity)
    }
}
