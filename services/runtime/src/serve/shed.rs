//! A limit on the calls in flight over all connections. What is above it is refused at once, so that nobody waits in a
//! queue that nobody sees.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{Response, StatusCode, header::RETRY_AFTER},
    middleware::{Next, from_fn_with_state},
    response::IntoResponse,
};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tonic::Status;

use crate::{
    app::is_grpc,
    health::{PROBE_TIME, PROBES, is_probe},
};

const WORDS: &str = "this service has as many calls in flight as it takes; try again";

/// Places for calls, and others for probes.
#[derive(Clone)]
struct Room {
    calls: Arc<Semaphore>,
    probes: Arc<Semaphore>,
}

pub(super) fn layer(router: Router, calls: usize) -> Router {
    let room = Room {
        calls: Arc::new(Semaphore::new(calls)),
        probes: Arc::new(Semaphore::new(PROBES)),
    };
    router.layer(from_fn_with_state(room, admit))
}

/// Health has places of its own: a probe that fails under load would have the instance killed for being busy.
async fn admit(State(room): State<Room>, request: Request, next: Next) -> Response<Body> {
    if is_probe(request.uri().path()) {
        return probe(&room.probes, request, next).await;
    }
    let Ok(permit) = room.calls.try_acquire_owned() else {
        return refuse(is_grpc(request.headers()));
    };
    let response = next.run(request).await;
    response.map(|body| {
        Body::new(Held {
            body,
            _permit: permit,
        })
    })
}

/// Anybody may send a probe, and so nobody may keep one waiting for the rest of it.
async fn probe(room: &Semaphore, request: Request, next: Next) -> Response<Body> {
    let Ok(_permit) = room.try_acquire() else {
        return refuse(is_grpc(request.headers()));
    };
    match timeout(PROBE_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

fn refuse(grpc: bool) -> Response<Body> {
    if grpc {
        return Status::resource_exhausted(WORDS).into_http();
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(RETRY_AFTER, "1")],
        format!("{WORDS}\n"),
    )
        .into_response()
}

pin_project! {
    /// A body that counts as a call in flight until it was sent or dropped: a poll's events come over minutes.
    struct Held {
        #[pin]
        body: Body,
        _permit: OwnedSemaphorePermit,
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.project().body.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
