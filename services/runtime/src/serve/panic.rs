//! A handler that panics answers, in its caller's own protocol.

use std::any::Any;

use axum::{
    body::Body,
    http::{Method, Response, StatusCode, Uri},
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

/// Marks a response to a panic, and has its message.
#[derive(Clone)]
struct Panicked(String);

// By value: tower-http's trait for this takes the payload so.
#[allow(clippy::needless_pass_by_value)]
fn respond(payload: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let panicked = Panicked(message.to_owned());
    let mut response = (StatusCode::INTERNAL_SERVER_ERROR, format!("{MESSAGE}\n")).into_response();
    response.extensions_mut().insert(panicked);
    response
}

/// Logs the panic of a call, if there was one; an HTTP call by its method and path. Returns the response to a gRPC client: a bare 500 would
/// count as a transport failure and not as this service's own.
pub(super) fn grpc_response<B>(
    http: Option<&(Method, Uri)>,
    response: &Response<B>,
) -> Option<Response<Body>> {
    let Panicked(panic) = response.extensions().get()?;
    let Some((method, uri)) = http else {
        tracing::error!(panic, "a handler panicked");
        return Some(Status::internal(MESSAGE).into_http());
    };
    tracing::error!(
        http.requestMethod = method.as_str(),
        http.requestUrl = uri.path(),
        http.status = response.status().as_u16(),
        panic,
        "a handler panicked"
    );
    None
}
