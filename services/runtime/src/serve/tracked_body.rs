//! A response body that counts as a call in flight until it was sent or dropped: the events of a poll take minutes.

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

use super::{activity::Work, call_limit::Permit};

/// A handler's body, or the server's own.
pub(super) type Inner = Either<UnsyncBoxBody<Bytes, BoxError>, Body>;

/// What a call in flight holds.
pub(super) struct InFlight {
    work: Work,
    _permit: Permit,
}

impl InFlight {
    pub(super) fn new(work: Work, permit: Permit) -> Self {
        Self { work, _permit: permit }
    }
}

pin_project! {
    /// A response body, and what its call holds.
    pub(super) struct TrackedBody {
        #[pin]
        body: Inner,
        in_flight: Option<InFlight>,
    }
}

impl TrackedBody {
    /// A fully buffered body releases its permit at once; otherwise a client that never reads its refusals could exhaust the
    /// call limit.
    pub(super) fn new(body: Inner, in_flight: InFlight) -> Self {
        let buffered = http_body::Body::size_hint(&body).exact().is_some();
        let in_flight = (!buffered).then(|| {
            let mut in_flight = in_flight;
            in_flight.work.pause();
            in_flight
        });
        Self { body, in_flight }
    }

    /// A body that holds nothing.
    pub(super) fn untracked(body: Inner) -> Self {
        let in_flight = None;
        Self { body, in_flight }
    }
}

impl http_body::Body for TrackedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let polled = this.body.poll_frame(context);
        if let Some(in_flight) = this.in_flight {
            match polled {
                Poll::Pending => in_flight.work.resume(),
                // hyper polls again only when the client has room for more.
                Poll::Ready(_) => in_flight.work.pause(),
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
