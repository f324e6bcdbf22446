//! Everything a worker serves.

use std::sync::Arc;

use axum::Router;
use brigade_proto::v1::worker_service_server::WorkerServiceServer;
use brigade_storage::Store;

use crate::{
    http,
    processor::Processor,
    service::{Grpc, Service},
    settings::WorkerSettings,
};

/// Messages carry names, not data.
pub(crate) const MAX_MESSAGE: usize = 64 * 1024;

/// The routes of a worker that runs `processor`: the gRPC service and `POST /process`. Who may call them is the
/// guard's affair (`brigade_runtime::guard`).
pub fn routes<P: Processor>(
    processor: P,
    store: Arc<dyn Store>,
    settings: &WorkerSettings,
) -> Router {
    let service = Arc::new(Service::new(processor, store, settings));
    let grpc = WorkerServiceServer::new(Grpc(service.clone()))
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    tonic::service::Routes::new(grpc)
        .into_axum_router()
        .reset_fallback()
        .merge(http::routes(service))
}
