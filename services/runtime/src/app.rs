//! One router of many: the service's own routes and reflection behind the guard, health before it.

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderValue, Request, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use tower::ServiceBuilder;
use tower_http::limit::RequestBodyLimitLayer;

use crate::{
    guard::{Guard, GuardLayer},
    health::Health,
};

/// The longest request body, in bytes, of any: 1 MiB, for `POST /events`. A storage notification carries the whole resource of its
/// object, whose metadata and access list can be longer than the 64 KiB that are enough for a name, the more so in base64. Every other
/// method and route holds its own messages to [`MAX_MESSAGE`](brigade_proto::MAX_MESSAGE).
pub const MAX_BODY: usize = 1024 * 1024;

/// Joins a service's routes with its health, of which the check alone is not behind the guard.
pub fn assemble(routes: Router, reflection: Router, health: Health, guard: Arc<Guard>) -> Router {
    guarded(routes.merge(health.guarded), reflection, guard).merge(health.open)
}

/// A service's routes behind the guard, and unknown paths too: who is not let in learns nothing of what there is.
pub fn guarded(routes: Router, reflection: Router, guard: Arc<Guard>) -> Router {
    routes
        .reset_fallback()
        .merge(reflection.reset_fallback())
        .fallback(unknown)
        // One stack, because each layer of a router puts every route into a box of its own.
        .layer(
            ServiceBuilder::new()
                .layer(GuardLayer::new(guard))
                // Within the guard: who is not let in sends no body.
                .layer(RequestBodyLimitLayer::new(MAX_BODY)),
        )
}

/// No such route, said in the caller's own protocol.
async fn unknown(request: Request<axum::body::Body>) -> Response {
    if is_grpc(request.headers()) {
        tonic::Status::unimplemented(format!("there is no method {}", request.uri().path()))
            .into_http()
    } else {
        (StatusCode::NOT_FOUND, "no such route\n").into_response()
    }
}

/// Whether a request speaks gRPC: its content type is `application/grpc`, alone or with a suffix.
pub(crate) fn is_grpc(headers: &axum::http::HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .and_then(|content_type| content_type.strip_prefix(b"application/grpc"))
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}
