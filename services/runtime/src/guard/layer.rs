//! The guard as a tower layer.

use std::{
    future::ready,
    pin::Pin,
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
    traced,
    verify::{Decision, Guard, Lookup},
};
use crate::protocol::is_grpc;

/// Any client may send a path of up to 16 KiB: the log shows this much of it, in bytes.
const LOGGED_PATH: usize = 256;

/// A call until its response is there.
type Answering<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

/// Puts a guard around any service, gRPC and HTTP alike.
#[derive(Clone, Debug)]
pub struct GuardLayer {
    guard: Arc<Guard>,
}

/// Forwards a call to the inner service when its token is valid.
#[derive(Clone, Debug)]
pub struct GuardService<S> {
    guard: Arc<Guard>,
    inner: S,
}

impl GuardLayer {
    /// A layer of this guard.
    pub fn new(guard: Arc<Guard>) -> Self {
        Self { guard }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let guard = self.guard.clone();
        GuardService { guard, inner }
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
                decided(decision, &mut self.inner, request)
            }
            Lookup::Miss(token) => {
                let guard = self.guard.clone();
                // The service that was ready is the one to call; its clone takes its place.
                let clone = self.inner.clone();
                let mut inner = std::mem::replace(&mut self.inner, clone);
                Box::pin(async move {
                    let decision = guard.verify(&token).await;
                    let decision = guard.permits(request.uri().path(), decision);
                    decided(decision, &mut inner, request).await
                })
            }
        }
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

/// Refuses the call, or calls the inner service within the caller's span.
fn decided<S, B>(decision: Decision, inner: &mut S, mut request: Request<B>) -> Answering<S::Error>
where
    S: Service<Request<B>, Response: IntoResponse, Error: Send + 'static, Future: Send + 'static>,
{
    let span = match decision {
        Err(refusal) => {
            let path = request.uri().path();
            let path = &path[..path.floor_char_boundary(LOGGED_PATH)];
            tracing::info!(path, check = refusal.check(), reason = %refusal, "call refused");
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
