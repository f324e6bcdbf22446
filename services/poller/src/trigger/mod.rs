//! What starts a poll, or names one object.

mod answer;
mod caller;
mod encoding;
pub mod events;
pub mod grpc;
pub mod http;
mod named;
pub mod process;

use axum::{Router, extract::DefaultBodyLimit, middleware, routing::post};
use brigade_proto::MAX_MESSAGE;

use crate::poller::Poller;

/// Every route of the poller: the gRPC service, `POST /poll`, `POST /events` and `POST /process`.
pub fn routes(poller: &Poller) -> Router {
    let http = Router::new()
        .route("/poll", post(http::poll))
        .route("/process", post(process::process))
        .layer(DefaultBodyLimit::max(MAX_MESSAGE))
        .with_state(poller.clone());
    let http = http.merge(events::routes(poller.clone()));
    let http = http.layer(middleware::from_fn(encoding::refuse_compressed));
    grpc::routes(poller.clone()).merge(http)
}
