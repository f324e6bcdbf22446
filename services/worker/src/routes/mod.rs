//! Everything that a worker serves.

mod grpc;
mod http;

use std::sync::Arc;

use axum::Router;
use brigade_storage::Store;
use tokio_util::sync::CancellationToken;

use crate::{output::Cleanups, processor::Processor, runner::Runner, settings::WorkerSettings};

/// The routes of a worker: `brigade.v1.WorkerService` over gRPC, and `POST /process` with the same messages in JSON.
///
/// Both share one limit on the objects at work. They are neither guarded nor served here: that is done by
/// [`brigade_runtime::service::Service`].
pub fn routes<P: Processor>(
    processor: P,
    store: Arc<dyn Store>,
    settings: &WorkerSettings,
) -> Router {
    let (shutdown, cleanups) = (CancellationToken::new(), Cleanups::default());
    routes_with_shutdown(processor, store, settings, shutdown, cleanups)
}

/// The same, for a worker that ends with `shutdown`, which its processors see, and waits for `cleanups`.
pub(crate) fn routes_with_shutdown<P: Processor>(
    processor: P,
    store: Arc<dyn Store>,
    settings: &WorkerSettings,
    shutdown: CancellationToken,
    cleanups: Cleanups,
) -> Router {
    let runner = Runner::with_shutdown(processor, store, settings, shutdown, cleanups);
    grpc::routes(Arc::clone(&runner)).merge(http::routes(runner))
}

#[cfg(test)]
mod tests;
