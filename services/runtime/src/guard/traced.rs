//! Log lines of a call name its caller, also while its response is sent: a stream of events takes minutes.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    http::Response,
};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tracing::Span;

use super::claims::Caller;

/// The admitted caller, and the span of its calls.
#[derive(Clone, Debug)]
pub(super) struct Admitted {
    pub(super) caller: Caller,
    span: Span,
}

impl Admitted {
    pub(super) fn new(caller: Caller) -> Self {
        let span = span(&caller.email);
        Self { caller, span }
    }

    /// The calls of a cached token share a span: it holds their caller alone, and one for each call would cost more than the rest
    /// of the guard. A span that was created while logging was off is created again.
    pub(super) fn span(&self) -> Span {
        if self.span.is_disabled() { span(&self.caller.email) } else { self.span.clone() }
    }
}

/// At error level, so that every filter that shows anything shows it.
fn span(email: &str) -> Span {
    tracing::error_span!(parent: None, "call", caller = email)
}

/// Sends the body of a response within this span.
pub(super) fn within(span: Span, response: Response<Body>) -> Response<Body> {
    if span.is_disabled() || http_body::Body::is_end_stream(response.body()) {
        return response;
    }
    response.map(|body| Body::new(Traced { body, span }))
}

pin_project! {
    /// A body that is polled within a span.
    struct Traced {
        #[pin]
        body: Body,
        span: Span,
    }
}

impl http_body::Body for Traced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.project();
        let body = this.body;
        this.span.in_scope(|| body.poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
