//! A call that fetches its token, or is in flight with it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderValue, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower::Service;

use super::attached::{BoxError, Identity, attach};
use crate::identity::{Error, IdToken};

type Token = Pin<Box<dyn Future<Output = Result<IdToken, Error>> + Send>>;

pin_project! {
    /// Fetches the token if none is cached, makes the call, and invalidates a refused token.
    pub struct AttachFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        // Taken when the token is there.
        waiting: Option<Waiting<S, B>>,
        identity: Identity,
        token: Option<IdToken>,
        #[pin]
        called: Option<S::Future>,
    }
}

struct Waiting<S, B> {
    inner: S,
    request: Request<B>,
    token: Token,
}

impl<S: Service<Request<B>>, B> AttachFuture<S, B> {
    /// A call whose token must be fetched first.
    pub(super) fn waiting(inner: S, request: Request<B>, identity: Identity) -> Self {
        let Identity { source, audience } = identity.clone();
        let token = Box::pin(async move { source.fetch(&audience).await });
        Self {
            waiting: Some(Waiting {
                inner,
                request,
                token,
            }),
            identity,
            token: None,
            called: None,
        }
    }

    /// A call in flight with this token.
    pub(super) fn called(called: S::Future, identity: Identity, token: IdToken) -> Self {
        Self {
            waiting: None,
            identity,
            token: Some(token),
            called: Some(called),
        }
    }
}

impl<S, B, R> Future for AttachFuture<S, B>
where
    S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(waiting) = this.waiting.as_mut() {
            let token = ready!(waiting.token.as_mut().poll(context))?;
            if let Some(mut waiting) = this.waiting.take() {
                attach(&mut waiting.request, &token);
                *this.token = Some(token);
                this.called.set(Some(waiting.inner.call(waiting.request)));
            }
        }
        let Some(called) = this.called.as_pin_mut() else {
            return Poll::Pending;
        };
        let response = ready!(called.poll(context)).map_err(Into::into)?;
        if refuses(&response)
            && let Some(token) = this.token.take()
        {
            this.identity
                .source
                .invalidate(&this.identity.audience, &token);
        }
        Poll::Ready(Ok(response))
    }
}

/// Whether the callee refused the token: HTTP 401, or gRPC status 16.
fn refuses<R>(response: &Response<R>) -> bool {
    response.status() == StatusCode::UNAUTHORIZED
        || response
            .headers()
            .get("grpc-status")
            .is_some_and(|status| status == HeaderValue::from_static("16"))
}
