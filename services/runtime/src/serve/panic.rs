//! A handler that panics answers, in its caller's own protocol.

use std::any::Any;

use axum::{
    body::Body,
    http::{Response, StatusCode},
    response::IntoResponse,
};
use tonic::Status;
use tower_http::catch_panic;

/// The panic's own message may hold anything, so it goes to the log alone.
const MESSAGE: &str = "internal error: the handler of this call panicked; see the service's log";

/// A service whose panics are responses.
pub(super) type CatchPanic<S> =
    catch_panic::CatchPanic<S, fn(Box<dyn Any + Send + 'static>) -> Response<Body>>;

pub(super) fn catch<S>(service: S) -> CatchPanic<S> {
    catch_panic::CatchPanic::custom(service, respond)
}

/// Marks a response to a panic.
#[derive(Clone, Copy)]
struct Panicked;

// By value: tower-http's trait for this takes the payload so.
#[allow(clippy::needless_pass_by_value)]
fn respond(payload: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(panic = message, "a handler panicked");
    let mut response = (StatusCode::INTERNAL_SERVER_ERROR, format!("{MESSAGE}\n")).into_response();
    response.extensions_mut().insert(Panicked);
    response
}

/// The response to a gRPC client after a panic. A bare 500 would count as a transport failure and not as this service's own.
pub(super) fn grpc_response<B>(grpc: bool, response: &Response<B>) -> Option<Response<Body>> {
    let panicked = grpc && response.extensions().get::<Panicked>().is_some();
    panicked.then(|| Status::internal(MESSAGE).into_http())
}
