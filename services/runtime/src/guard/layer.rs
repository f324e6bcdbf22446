//! The guard as a tower layer.

use std::{
    future::{poll_fn, ready},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    http::{
        HeaderMap, Request, Response,
        header::{AUTHORIZATION, Entry},
    },
    response::IntoResponse,
};
use tower::{Layer, Service};
use tracing::{Instrument as _, Span};

use super::{
    bearer::SERVERLESS_AUTHORIZATION,
    error::Refusal,
    metrics, traced,
    verify::{Decision, Guard, Lookup, PendingToken},
};
use crate::{
    protocol::{is_grpc, mismatch},
    telemetry::LineLimit,
    wait_limit::WaitLimit,
};

/// Any client may send a path or a method of up to 48 KiB: the log shows this much of it, in bytes.
const LOGGED: usize = 256;

/// A call until its response is there.
type Answering<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

/// Puts a guard around any service, gRPC and HTTP alike.
#[derive(Clone, Debug)]
pub struct GuardLayer {
    guard: Arc<Guard>,
    refusals: LineLimit,
}

/// Forwards a call to the inner service when its token is valid.
#[derive(Clone, Debug)]
pub struct GuardService<S> {
    guard: Arc<Guard>,
    refusals: LineLimit,
    inner: S,
}

impl GuardLayer {
    /// A layer of this guard.
    pub fn new(guard: Arc<Guard>) -> Self {
        Self { guard, refusals: LineLimit::new("more calls were refused") }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService { guard: self.guard.clone(), refusals: self.refusals.clone(), inner }
    }
}

impl<S, B> Service<Request<B>> for GuardService<S>
where
    S: Service<Request<B>, Response: IntoResponse, Error: Send + 'static, Future: Send + 'static>
        + Clone
        + Send
        + 'static,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answering<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        mark_tokens_sensitive(request.headers_mut());
        match self.guard.lookup(request.headers()) {
            Lookup::Hit(decision) => {
                let decision = self.guard.permits(request.uri().path(), decision);
                decided(decision, &self.refusals, &mut self.inner, request)
            }
            Lookup::Miss(token) => {
                let (guard, refusals) = (self.guard.clone(), self.refusals.clone());
                // The service that was ready is the one to call; its clone takes its place.
                let clone = self.inner.clone();
                let mut inner = std::mem::replace(&mut self.inner, clone);
                Box::pin(async move {
                    let limit = request.extensions().get::<WaitLimit>();
                    let decision = verified(&guard, &token, limit).await;
                    let decision = guard.permits(request.uri().path(), decision);
                    decided(decision, &refusals, &mut inner, request).await
                })
            }
        }
    }
}

/// The full check of a token. A call that has to wait for it needs room under the limit.
async fn verified(guard: &Guard, token: &PendingToken, limit: Option<&WaitLimit>) -> Decision {
    let mut verifying = pin!(guard.verify(token));
    let now = poll_fn(|context| Poll::Ready(verifying.as_mut().poll(context))).await;
    if let Poll::Ready(decision) = now {
        return decision;
    }
    match limit.map(WaitLimit::try_wait) {
        Some(None) => Err(Refusal::Waiting),
        _waiting => verifying.await,
    }
}

/// Keeps the tokens out of the headers' `Debug`, here and in every handler.
fn mark_tokens_sensitive(headers: &mut HeaderMap) {
    for name in [AUTHORIZATION, SERVERLESS_AUTHORIZATION] {
        // An entry allocates for a missing header, and nearly no call has the second one.
        if headers.contains_key(&name)
            && let Entry::Occupied(mut values) = headers.entry(name)
        {
            values.iter_mut().for_each(|value| value.set_sensitive(true));
        }
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LOGGED)]
}

/// Refuses the call, also one in another protocol than its path's, or calls the inner service within the caller's span.
fn decided<S, B>(
    decision: Decision,
    refusals: &LineLimit,
    inner: &mut S,
    mut request: Request<B>,
) -> Answering<S::Error>
where
    S: Service<Request<B>, Response: IntoResponse, Error: Send + 'static, Future: Send + 'static>,
{
    let span = match decision {
        Err(refusal) => {
            metrics::refused(refusal);
            if refusals.allows() {
                let (check, status) = (refusal.check(), refusal.http().as_u16());
                tracing::info!(
                    http.requestMethod = cut(request.method().as_str()), http.requestUrl = cut(request.uri().path()),
                    http.status = status, check, reason = %refusal, "call refused"
                );
            }
            let response = refusal.response(is_grpc(request.headers()));
            return Box::pin(ready(Ok(response)));
        }
        Ok(None) => Span::none(),
        Ok(Some(admitted)) => {
            let span = admitted.span();
            request.extensions_mut().insert(admitted.caller);
            span
        }
    };
    if let Some(response) = mismatch(&request) {
        return Box::pin(ready(Ok(response)));
    }
    let called = span.in_scope(|| {
        if !span.is_none() {
            tracing::debug!(path = request.uri().path(), "call accepted");
        }
        inner.call(request)
    });
    Box::pin(async move {
        let response = called.instrument(span.clone()).await?.into_response();
        Ok(traced::within(span, response))
    })
}
