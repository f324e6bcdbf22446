//! A handler that panics answers, in its caller's own protocol.

use std::any::Any;

use axum::{
    body::Body,
    http::{Response, StatusCode},
    response::IntoResponse,
};
use tonic::Status;
use tower_http::catch_panic::CatchPanic;

/// What the caller is told. The panic's own words may hold anything, so they go to the log alone.
const WORDS: &str = "this service met a bug while it handled the call; its log says more";

/// A service whose panics are answers.
pub(super) type Caught<S> = CatchPanic<S, fn(Box<dyn Any + Send + 'static>) -> Response<Body>>;

pub(super) fn layer<S>(service: S) -> Caught<S> {
    CatchPanic::custom(service, caught)
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

/// What a gRPC client is told of a panic. A bare 500 would be a failure of the way to it, and not of this service.
pub(super) fn answer<B>(grpc: bool, response: &Response<B>) -> Option<Response<Body>> {
    let panicked = grpc && response.extensions().get::<Panicked>().is_some();
    panicked.then(|| Status::internal(WORDS).into_http())
}
