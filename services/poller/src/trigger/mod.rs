//! What starts a poll, or names one object.

mod answer;
mod caller;
mod encoding;
pub mod events;
pub mod grpc;
pub mod http;
mod inbox_grpc;
mod inbox_http;
mod named;
pub mod process;

use axum::{Router, extract::DefaultBodyLimit, middleware, routing::post};
use brigade_proto::MAX_MESSAGE;
use brigade_runtime::{service::MAX_BODY, telemetry::LineLimit};

use crate::poller::Poller;

/// Every route of the poller: the gRPC services, `POST /poll`, `POST /events`, `POST /process` and those below `/inbox/`.
pub fn routes(poller: &Poller) -> Router {
    let http = Router::new()
        .route("/poll", post(http::poll))
        .route("/process", post(process::process))
        .layer(DefaultBodyLimit::max(MAX_MESSAGE))
        .merge(inbox_http::routes().layer(DefaultBodyLimit::max(MAX_BODY)))
        .with_state(poller.clone());
    let http = http.merge(events::routes(poller.clone()));
    let lines = LineLimit::new("more requests failed");
    let http = http
        .layer(middleware::from_fn(encoding::refuse_compressed))
        .layer(middleware::from_fn_with_state(lines, answer::log));
    grpc::routes(poller.clone()).merge(inbox_grpc::routes(poller.clone())).merge(http)
}
