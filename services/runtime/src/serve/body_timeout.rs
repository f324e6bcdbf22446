//! A deadline for the body of a request, which runs while its handler waits for the body.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    BoxError,
    body::{Body, Bytes},
    http::{Response, StatusCode},
};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};
use tonic::Status;

use super::drain::{Drains, drain};
use crate::protocol::error_response;

/// A body that fails when its reader waits too long for it, in all. The clock starts when the reader first waits: a body that
/// arrived with its headers needs no timer, and a handler that works before it reads loses no time.
///
/// What its reader leaves is drained, unless it took too long already.
pub(super) struct BodyTimeout {
    /// `None` once it is given up.
    body: Option<Incoming>,
    drains: Option<Drains>,
    time: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    timed_out: BodyTimedOut,
}

/// Whether a body has timed out; `None` for a body that is already complete.
#[derive(Clone)]
pub(super) struct BodyTimedOut(Option<Arc<AtomicBool>>);

// === impl BodyTimeout ===

impl BodyTimeout {
    /// A body is not drained when its client sends it after an interim response alone: reading it would ask for it.
    pub(super) fn new(
        body: Incoming,
        time: Duration,
        drains: Option<Drains>,
    ) -> (Self, BodyTimedOut) {
        let complete = http_body::Body::is_end_stream(&body);
        let timed_out = BodyTimedOut((!complete).then(Arc::default));
        let body = Some(body);
        let body = Self { body, drains, time, timer: None, timed_out: timed_out.clone() };
        (body, timed_out)
    }
}

impl http_body::Body for BodyTimeout {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let time = this.time;
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(time)));
        ready!(timer.as_mut().poll(context));
        if let Some(timed_out) = &this.timed_out.0 {
            timed_out.store(true, Ordering::Release);
        }
        this.body = None;
        Poll::Ready(Some(Err(status(time).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(http_body::Body::size_hint).unwrap_or_default()
    }
}

impl Drop for BodyTimeout {
    fn drop(&mut self) {
        if let Some(drains) = self.drains.take()
            && let Some(body) = self.body.take()
            && !http_body::Body::is_end_stream(&body)
        {
            drain(body, drains);
        }
    }
}

// === impl BodyTimedOut ===

impl BodyTimedOut {
    /// The response that replaces what the handler made of an incomplete body.
    pub(super) fn response(&self, grpc: bool, time: Duration) -> Option<Response<Body>> {
        if !self.0.as_ref()?.load(Ordering::Acquire) {
            return None;
        }
        Some(error_response(grpc, status(time), StatusCode::REQUEST_TIMEOUT))
    }
}

fn status(time: Duration) -> Status {
    Status::deadline_exceeded(format!("the body of the request did not arrive within {time:?}"))
}
