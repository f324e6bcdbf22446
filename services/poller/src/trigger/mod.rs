//! What starts a poll.

pub mod grpc;
pub mod http;

use axum::Router;

use crate::poll::Poller;

/// Every route of the poller: the gRPC service and `POST /poll`.
pub fn routes(poller: &Poller) -> Router {
    grpc::routes(poller.clone()).merge(http::routes(poller.clone()))
}
