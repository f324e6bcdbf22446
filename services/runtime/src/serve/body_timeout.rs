//! A deadline for the body of a request, for as long as somebody waits for it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    BoxError,
    body::{Body, Bytes},
    http::{Response, StatusCode},
    response::IntoResponse as _,
};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};
use tonic::Status;

/// A body that fails when its reader had to wait for it for too long, in all. The clock starts when the reader first waits, so
/// that one whose body came with its headers needs none, and one that works before it reads loses no time.
pub(super) struct Arriving {
    body: Incoming,
    time: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    late: Late,
}

/// Whether a body has not come in time.
#[derive(Clone)]
pub(super) struct Late(Option<Arc<AtomicBool>>);

// === impl Arriving ===

impl Arriving {
    pub(super) fn new(body: Incoming, time: Duration, late: Late) -> Self {
        Self {
            body,
            time,
            waiting: None,
            late,
        }
    }
}

impl http_body::Body for Arriving {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let time = this.time;
        let waiting = this.waiting.get_or_insert_with(|| Box::pin(sleep(time)));
        if waiting.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        this.late.set();
        Poll::Ready(Some(Err(status(time).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

// === impl Late ===

impl Late {
    /// Of a body that is yet to come; one that is whole already is never late.
    pub(super) fn of(body: &Incoming) -> Self {
        let whole = http_body::Body::is_end_stream(body);
        Self((!whole).then(Arc::default))
    }

    fn set(&self) {
        if let Some(late) = &self.0 {
            late.store(true, Ordering::Release);
        }
    }

    /// What the caller is told instead of what its handler made of half a body.
    pub(super) fn answer(&self, grpc: bool, time: Duration) -> Option<Response<Body>> {
        if !self.0.as_ref()?.load(Ordering::Acquire) {
            return None;
        }
        if grpc {
            return Some(status(time).into_http());
        }
        let words = format!("{}\n", words(time));
        Some((StatusCode::REQUEST_TIMEOUT, words).into_response())
    }
}

fn status(time: Duration) -> Status {
    Status::deadline_exceeded(words(time))
}

fn words(time: Duration) -> String {
    format!("the body of the request did not arrive within {time:?}")
}
