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
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use crate::{app::is_grpc, health::is_probe};

const WORDS: &str = "this service has as many calls in flight as it takes; try again";

pub(super) fn layer(router: Router, calls: usize) -> Router {
    router.layer(from_fn_with_state(Arc::new(Semaphore::new(calls)), admit))
}

/// Health is always answered: a probe that fails under load would have the instance killed for being busy.
async fn admit(State(room): State<Arc<Semaphore>>, request: Request, next: Next) -> Response<Body> {
    if is_probe(request.uri().path()) {
        return next.run(request).await;
    }
    let Ok(permit) = room.try_acquire_owned() else {
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
