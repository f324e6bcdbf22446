//! One router of many: the service's own routes and reflection behind the guard, health before it.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Router,
    http::{HeaderValue, Request, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use tower::{Layer, Service, ServiceBuilder};
use tower_http::limit::RequestBodyLimit;

use crate::{
    guard::{Guard, GuardLayer},
    health::Health,
};

/// The longest request body, in bytes: 64 KiB of message and gRPC's five bytes before it. Messages carry names, not data.
pub const MAX_BODY: usize = 64 * 1024 + 5;

/// The longest body at `POST /events`, in bytes: 1 MiB. A storage notification carries the whole resource of its object, whose
/// metadata and access list can be longer than the 64 KiB that are enough for a name, the more so in base64.
pub const MAX_EVENT: usize = 1024 * 1024;

/// The one path whose bodies may be longer.
const EVENTS: &str = "/events";

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
                .layer(BodyLimitLayer),
        )
}

/// Limits bodies, by path. Within the guard: who is not let in sends no body.
#[derive(Clone, Copy, Debug)]
struct BodyLimitLayer;

#[derive(Clone, Debug)]
struct BodyLimit<S> {
    usual: RequestBodyLimit<S>,
    events: RequestBodyLimit<S>,
}

impl<S: Clone> Layer<S> for BodyLimitLayer {
    type Service = BodyLimit<S>;

    fn layer(&self, inner: S) -> BodyLimit<S> {
        BodyLimit {
            usual: RequestBodyLimit::new(inner.clone(), MAX_BODY),
            events: RequestBodyLimit::new(inner, MAX_EVENT),
        }
    }
}

impl<S, B> Service<Request<B>> for BodyLimit<S>
where
    RequestBodyLimit<S>: Service<Request<B>>,
{
    type Response = <RequestBodyLimit<S> as Service<Request<B>>>::Response;
    type Error = <RequestBodyLimit<S> as Service<Request<B>>>::Error;
    type Future = <RequestBodyLimit<S> as Service<Request<B>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self.usual.poll_ready(context) {
            Poll::Ready(Ok(())) => self.events.poll_ready(context),
            other => other,
        }
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.uri().path() == EVENTS {
            self.events.call(request)
        } else {
            self.usual.call(request)
        }
    }
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
