//! A call while the guard checks it.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    http::{
        HeaderMap, Request, Response,
        header::{AUTHORIZATION, Entry},
    },
    response::IntoResponse,
};
use pin_project_lite::pin_project;
use tower::Service;
use tracing::Span;

use super::{
    bearer::SERVERLESS_AUTHORIZATION,
    error::Refusal,
    traced::{self, Spanned},
    verify::{Decision, Guard, Lookup},
};
use crate::protocol::is_grpc;

/// Any client may send a path of up to 16 KiB: the log shows this much of it, in bytes.
const LOGGED_PATH: usize = 256;

type Verification = Pin<Box<dyn Future<Output = Decision> + Send>>;

pin_project! {
    /// Checks the token, then calls the inner service, or refuses the call.
    pub struct GuardFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        // Fetches keys or checks a signature. `held` is taken when that has ended; it is boxed, because few calls come here and
        // all would carry it.
        Verifying { verification: Verification, held: Option<Box<(S, Request<B>)>> },
        Called { #[pin] called: Spanned<S::Future> },
        Refused { refusal: Refusal, grpc: bool },
    }
}

impl<S: Service<Request<B>> + Clone, B> GuardFuture<S, B> {
    /// A call of `inner`, which is ready for one.
    pub(super) fn new(guard: &Arc<Guard>, inner: &mut S, mut request: Request<B>) -> Self {
        mark_tokens_sensitive(request.headers_mut());
        let state = match guard.lookup(request.headers()) {
            Lookup::Hit(decision) => State::decided(decision, inner, request),
            Lookup::Miss(token) => {
                let guard = guard.clone();
                // The service that was ready is the one to call; its clone takes its place.
                let clone = inner.clone();
                State::Verifying {
                    verification: Box::pin(async move { guard.verify(&token).await }),
                    held: Some(Box::new((std::mem::replace(inner, clone), request))),
                }
            }
        };
        Self { state }
    }
}

/// Keeps the tokens out of the headers' `Debug`, here and in every handler.
fn mark_tokens_sensitive(headers: &mut HeaderMap) {
    for name in [AUTHORIZATION, SERVERLESS_AUTHORIZATION] {
        // An entry allocates for a missing header, and nearly no call has the second one.
        if headers.contains_key(&name)
            && let Entry::Occupied(mut values) = headers.entry(name)
        {
            values
                .iter_mut()
                .for_each(|value| value.set_sensitive(true));
        }
    }
}

impl<S: Service<Request<B>>, B> State<S, B> {
    fn decided(decision: Decision, inner: &mut S, mut request: Request<B>) -> Self {
        let span = match decision {
            Err(refusal) => {
                let path = request.uri().path();
                let path = &path[..path.floor_char_boundary(LOGGED_PATH)];
                tracing::info!(path, check = refusal.check(), reason = %refusal, "call refused");
                let grpc = is_grpc(request.headers());
                return Self::Refused { refusal, grpc };
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
        Self::Called {
            called: Spanned::new(called, span),
        }
    }
}

impl<S, B> Future for GuardFuture<S, B>
where
    S: Service<Request<B>, Response: IntoResponse>,
{
    type Output = Result<Response<axum::body::Body>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProjection::Called { mut called } => {
                    let response = ready!(called.as_mut().poll(context))?.into_response();
                    return Poll::Ready(Ok(traced::within(called.span().clone(), response)));
                }
                StateProjection::Refused { refusal, grpc } => {
                    return Poll::Ready(Ok(refusal.response(*grpc)));
                }
                StateProjection::Verifying { verification, held } => {
                    let decision = ready!(verification.as_mut().poll(context));
                    let (mut inner, request) =
                        *held.take().expect("the state changes when the check ends");
                    State::decided(decision, &mut inner, request)
                }
            };
            state.set(next);
        }
    }
}
