//! What a call logs while its answer is sent names its caller too: a stream of events comes over minutes.

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

/// The span of a call. An error's level, so that a filter which shows anything shows it.
pub(super) fn span(email: &str) -> Span {
    tracing::error_span!("call", caller = email)
}

/// Has the body of an answer sent within this span.
pub(super) fn within(span: Span, response: Response<Body>) -> Response<Body> {
    if span.is_none() || http_body::Body::is_end_stream(response.body()) {
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
