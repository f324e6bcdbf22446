//! An answer that counts as a call in flight until it was sent or dropped: a poll's events come over minutes.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    BoxError,
    body::{Body, Bytes},
};
use http_body::{Frame, SizeHint};
use http_body_util::Either;
use pin_project_lite::pin_project;
use tower_http::body::UnsyncBoxBody;

use super::{activity::Work, shed::Place};

/// A handler's answer, or ours.
pub(super) type Answer = Either<UnsyncBoxBody<Bytes, BoxError>, Body>;

/// What a call holds.
pub(super) struct Held {
    work: Work,
    _place: Place,
}

pin_project! {
    /// The body of an answer, and what its call holds.
    pub(super) struct Sending {
        #[pin]
        body: Answer,
        held: Option<Held>,
    }
}

// === impl Held ===

impl Held {
    pub(super) fn new(work: Work, place: Place) -> Self {
        Self {
            work,
            _place: place,
        }
    }
}

// === impl Sending ===

impl Sending {
    /// An answer that is whole needs nothing more of anybody but its client: it holds nothing, or who never reads the
    /// refusals that he gets would keep the places of those who are let in.
    pub(super) fn new(body: Answer, mut held: Held) -> Self {
        if http_body::Body::size_hint(&body).exact().is_some() {
            return Self::free(body);
        }
        held.work.pause();
        let held = Some(held);
        Self { body, held }
    }

    /// An answer that holds nothing.
    pub(super) fn free(body: Answer) -> Self {
        Self { body, held: None }
    }
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let polled = this.body.poll_frame(context);
        if let Some(held) = this.held {
            match polled {
                Poll::Pending => held.work.resume(),
                // Nobody asks for more before the client has room for it.
                Poll::Ready(_) => held.work.pause(),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
