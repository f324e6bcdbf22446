//! A response body that counts as a call in flight until it was sent or dropped: the events of a poll take minutes. Its call's span
//! lasts as long.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    BoxError,
    body::{Body, Bytes},
};
use http_body::{Frame, SizeHint};
use http_body_util::Either;
use pin_project_lite::pin_project;
use tower_http::body::UnsyncBoxBody;

use super::{activity::Work, call_limit::Permit, observed::Observed};

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
        observed: Option<Observed>,
        last: Option<Last>,
    }
}

/// The end of a body, which waits until what is pending is exported.
struct Last {
    flush: Pin<Box<dyn Future<Output = ()> + Send>>,
    frame: Option<Result<Frame<Bytes>, BoxError>>,
}

impl TrackedBody {
    /// A fully buffered body releases its permit at once; otherwise a client that never reads its refusals could exhaust the
    /// call limit.
    pub(super) async fn new(body: Inner, in_flight: InFlight, mut observed: Observed) -> Self {
        if http_body::Body::size_hint(&body).exact().is_some() {
            if observed.end() {
                brigade_telemetry::flush().await;
            }
            return Self::untracked(body);
        }
        let mut in_flight = in_flight;
        in_flight.work.pause();
        Self { body, in_flight: Some(in_flight), observed: Some(observed), last: None }
    }

    /// A body that holds nothing.
    pub(super) fn untracked(body: Inner) -> Self {
        Self { body, in_flight: None, observed: None, last: None }
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
        let polled = next(this.body, this.observed, this.last, context);
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
        self.last.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The next frame, within the call's span. The last one comes after the span has ended, and after the export where one is asked for.
fn next(
    body: Pin<&mut Inner>,
    observed: &mut Option<Observed>,
    last: &mut Option<Last>,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
    if last.is_none() {
        let _current =
            observed.as_ref().and_then(Observed::context).map(opentelemetry::Context::attach);
        let frame = ready!(http_body::Body::poll_frame(body, context));
        let trailers = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.trailers_ref());
        if let (Some(observed), Some(trailers)) = (observed.as_mut(), trailers) {
            observed.trailers(trailers);
        }
        let ended = !matches!(&frame, Some(Ok(frame)) if frame.is_data());
        if !ended || !observed.take().is_some_and(|mut observed| observed.end()) {
            return Poll::Ready(frame);
        }
        *last = Some(Last { flush: Box::pin(brigade_telemetry::flush()), frame });
    }
    let Some(Last { flush, frame }) = last else { return Poll::Ready(None) };
    ready!(flush.as_mut().poll(context));
    let frame = frame.take();
    *last = None;
    Poll::Ready(frame)
}
