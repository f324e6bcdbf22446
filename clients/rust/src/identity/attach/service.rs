//! The service that attaches.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderName, Request, Response, header::AUTHORIZATION};
use tower::Service;

use super::{Attached, future::AttachFuture};
use crate::identity::{IdToken, TokenSource};

/// Cloud Run checks this one when both are there, and leaves `authorization` whole for the service itself.
pub(super) const SERVERLESS: HeaderName = HeaderName::from_static("x-serverless-authorization");

/// Attaches a token to each call of the service within.
#[derive(Clone, Debug)]
pub struct Attach<S> {
    inner: S,
    identity: Identity,
}

/// Whose tokens, and for whom.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) source: Arc<dyn TokenSource>,
    pub(super) audience: Arc<str>,
}

impl<S> Attach<S> {
    pub(super) fn new(inner: S, identity: Identity) -> Self {
        Self { inner, identity }
    }
}

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

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
        // The service that was found ready is the one to call; its clone stays behind.
        let ready = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, ready);
        AttachFuture::waiting(ready, request, identity)
    }
}

/// Sets both headers, in place of any that were there.
pub(super) fn attach<B>(request: &mut Request<B>, token: &IdToken) {
    let headers = request.headers_mut();
    headers.insert(SERVERLESS, token.bearer().clone());
    headers.insert(AUTHORIZATION, token.bearer().clone());
    if let Some(attached) = request.extensions().get::<Attached>() {
        attached.set(token);
    }
}
