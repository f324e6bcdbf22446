//! Attaches ID tokens to calls.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use http::{HeaderName, Request, Response, StatusCode, header::AUTHORIZATION};
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use url::Url;

use super::{
    TokenSource,
    audience::{is_confidential, origin},
    error::Error,
    token::IdToken,
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Cloud Run checks this one when both are there, and leaves `authorization` whole for the service itself.
const SERVERLESS: HeaderName = HeaderName::from_static("x-serverless-authorization");

/// Attaches a token of one audience to every call of a client, in `authorization` and `x-serverless-authorization`.
///
/// It wraps any `tower::Service` of `http::Request`s: a tonic `Channel`, with unary and streaming calls, or an HTTP client.
/// With a cached token it adds no allocation and no task. When the callee refuses the token (HTTP 401, or `grpc-status` 16
/// in the response's headers), the token is invalidated, so that the caller's next call carries another one; the call
/// itself is not repeated, because a body can be sent only once.
#[derive(Clone, Debug)]
pub struct AttachLayer(Identity);

/// Attaches a token to each call of the inner service.
#[derive(Clone, Debug)]
pub struct Attach<S> {
    inner: S,
    identity: Identity,
}

/// The source of tokens, and their audience.
#[derive(Clone, Debug)]
struct Identity {
    source: Arc<dyn TokenSource>,
    audience: Arc<str>,
}

/// Put into a request's extensions, it tells the caller which token the call carried.
#[derive(Clone, Debug, Default)]
pub struct Attached(Arc<OnceLock<IdToken>>);

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
    token: Pin<Box<dyn Future<Output = Result<IdToken, Error>> + Send>>,
}

// === impl AttachLayer ===

impl AttachLayer {
    /// Tokens of `source` for calls to `url`, whose origin is the audience unless another is given. Fails when a token could
    /// be read on its way there.
    pub fn new(
        source: Arc<dyn TokenSource>,
        url: &Url,
        audience: Option<&str>,
    ) -> Result<Self, Error> {
        if !is_confidential(url) {
            return Err(Error::NotConfidential(origin(url)));
        }
        let audience = audience.map_or_else(|| origin(url), str::to_owned).into();
        Ok(Self(Identity { source, audience }))
    }
}

impl<S> Layer<S> for AttachLayer {
    type Service = Attach<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let identity = self.0.clone();
        Attach { inner, identity }
    }
}

// === impl Attach ===

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
        let token = identity.source.ready(&identity.audience);
        let (mut waiting, mut called) = (None, None);
        if let Some(token) = &token {
            attach(&mut request, token);
            called = Some(self.inner.call(request));
        } else {
            // Only this instance was polled ready, so it makes the call; its clone stays behind.
            let ready = self.inner.clone();
            let inner = std::mem::replace(&mut self.inner, ready);
            let Identity { source, audience } = identity.clone();
            let token = Box::pin(async move { source.fetch(&audience).await });
            waiting = Some(Waiting { inner, request, token });
        }
        AttachFuture { waiting, identity, token, called }
    }
}

// === impl AttachFuture ===

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
            let Identity { source, audience } = this.identity;
            source.invalidate(audience, &token);
        }
        Poll::Ready(Ok(response))
    }
}

// === impl Attached ===

impl Attached {
    /// The attached token; none before the call had one.
    pub fn token(&self) -> Option<&IdToken> {
        self.0.get()
    }
}

/// Sets both headers, in place of any that were there.
fn attach<B>(request: &mut Request<B>, token: &IdToken) {
    let headers = request.headers_mut();
    headers.insert(SERVERLESS, token.bearer().clone());
    headers.insert(AUTHORIZATION, token.bearer().clone());
    if let Some(Attached(attached)) = request.extensions().get() {
        // Shared by two calls by mistake, it keeps the token of the first.
        let _ = attached.set(token.clone());
    }
}

/// Whether the callee refused the token: HTTP 401, or gRPC status 16.
fn refuses<R>(response: &Response<R>) -> bool {
    let status = response.headers().get("grpc-status");
    response.status() == StatusCode::UNAUTHORIZED || status.is_some_and(|status| status == "16")
}
