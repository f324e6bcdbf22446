//! Everything that a worker serves.

use std::sync::Arc;

use axum::Router;
use brigade_storage::Store;

use crate::{http, processor::Processor, runner::Runner, service, settings::WorkerSettings};

/// The routes of a worker: `brigade.v1.WorkerService` over gRPC, and `POST /process` with the same messages in JSON.
///
/// Both share one limit on the objects at work. They are neither guarded nor served here: that is
/// [`brigade_runtime::app::assemble`] and [`brigade_runtime::serve::serve`].
pub fn routes<P: Processor>(
    processor: P,
    store: Arc<dyn Store>,
    settings: &WorkerSettings,
) -> Router {
    let runner = Runner::new(processor, store, settings);
    service::routes(Arc::clone(&runner)).merge(http::routes(runner))
}

#[cfg(test)]
mod tests;
