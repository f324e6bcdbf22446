//! A limit on the calls in flight over all connections. A call above it is refused at once, instead of waiting in a queue that no
//! caller can see.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Response, StatusCode},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use crate::{
    health::{CHECKS, Kind},
    protocol::error_response,
};

const TOO_MANY: &str = "this service has reached its limit of calls in flight; try again";

/// Permits for calls, and others for health checks.
pub(super) struct CallLimit {
    calls: Arc<Semaphore>,
    checks: Arc<Semaphore>,
}

/// A call's permit, until it is dropped; `None` for a request that needs none.
pub(super) type Permit = Option<OwnedSemaphorePermit>;

// === impl CallLimit ===

impl CallLimit {
    /// The limit for one connection: its calls share the permits of all connections, its checks have their own.
    pub(super) fn new(calls: Arc<Semaphore>) -> Self {
        Self { calls, checks: Arc::new(Semaphore::new(CHECKS)) }
    }

    /// A permit, or the response to a call that gets none.
    ///
    /// Health takes none of the calls' permits: a probe that fails under load would restart an instance for being busy. Nor do
    /// connections share permits for probes, because any client may send probes that never end.
    pub(super) fn try_acquire(&self, kind: Kind, grpc: bool) -> Result<Permit, Response<Body>> {
        let permits = match kind {
            Kind::Health => return Ok(None),
            Kind::Check => &self.checks,
            Kind::Call => &self.calls,
        };
        let permit = permits.clone().try_acquire_owned();
        permit.map(Some).map_err(|_| {
            let status = Status::resource_exhausted(TOO_MANY);
            error_response(grpc, status, StatusCode::SERVICE_UNAVAILABLE)
        })
    }
}
