//! What starts a poll, or names one object.

mod answer;
mod caller;
pub mod events;
pub mod grpc;
pub mod http;
mod named;
pub mod process;

use axum::Router;

use crate::poller::Poller;

/// Every route of the poller: the gRPC service, `POST /poll`, `POST /events` and `POST /process`.
pub fn routes(poller: &Poller) -> Router {
    grpc::routes(poller.clone())
        .merge(http::routes(poller.clone()))
        .merge(events::routes(poller.clone()))
        .merge(process::routes(poller.clone()))
}
