//! A handler that panics answers, in its caller's own protocol.

use std::any::Any;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Response, StatusCode},
    middleware::{Next, from_fn},
    response::IntoResponse,
};
use tonic::Status;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::is_grpc;

/// What the caller is told. The panic's own words may hold anything, so they go to the log alone.
const WORDS: &str = "this service met a bug while it handled the call; its log says more";

pub(super) fn layer(router: Router) -> Router {
    router
        .layer(CatchPanicLayer::custom(caught))
        .layer(from_fn(answer))
}

/// Marks a response that stands for a panic.
#[derive(Clone, Copy)]
struct Panicked;

// By value: tower-http's trait for this takes the payload so.
#[allow(clippy::needless_pass_by_value)]
fn caught(payload: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let words = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no words");
    tracing::error!(panic = words, "a handler panicked");
    let mut response = (StatusCode::INTERNAL_SERVER_ERROR, format!("{WORDS}\n")).into_response();
    response.extensions_mut().insert(Panicked);
    response
}

/// To a gRPC client a bare 500 would be a failure of the way and not of this service.
async fn answer(request: Request, next: Next) -> Response<Body> {
    let grpc = is_grpc(request.headers());
    let response = next.run(request).await;
    if grpc && response.extensions().get::<Panicked>().is_some() {
        return Status::internal(WORDS).into_http();
    }
    response
}
