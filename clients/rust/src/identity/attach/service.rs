//! The service that attaches.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderName, HeaderValue, Request, header::AUTHORIZATION};
use tower::Service;

use super::future::AttachFuture;
use crate::identity::{Error, IdToken, TokenSource};

/// Cloud Run checks this one when both are there, and leaves `authorization` whole for the service itself.
pub(super) const SERVERLESS: HeaderName = HeaderName::from_static("x-serverless-authorization");

/// Attaches a token to each call of the service within.
#[derive(Clone, Debug)]
pub struct Attach<S> {
    inner: S,
    source: Arc<dyn TokenSource>,
    audience: Arc<str>,
}

impl<S> Attach<S> {
    pub(super) fn new(inner: S, source: Arc<dyn TokenSource>, audience: Arc<str>) -> Self {
        Self {
            inner,
            source,
            audience,
        }
    }
}

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<S, B> Service<Request<B>> for Attach<S>
where
    S: Service<Request<B>, Error: Into<BoxError>> + Clone,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = AttachFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The service that was found ready is the one to call; its clone stays behind.
        let ready = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, ready);
        let (source, audience) = (self.source.clone(), self.audience.clone());
        let token = async move { source.fetch(&audience).await };
        AttachFuture::new(ready, request, Box::pin(token))
    }
}

/// Sets both headers, in place of any that were there.
pub(super) fn attach<B>(request: &mut Request<B>, token: &IdToken) -> Result<(), Error> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.secret())).map_err(|_| {
        Error::BadToken {
            source_name: "the token source".into(),
            why: "it does not fit into a header".into(),
        }
    })?;
    value.set_sensitive(true);
    request.headers_mut().insert(SERVERLESS, value.clone());
    request.headers_mut().insert(AUTHORIZATION, value);
    request.extensions_mut().insert(token.clone());
    Ok(())
}
