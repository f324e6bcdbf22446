//! The guard as a tower layer.

use std::sync::Arc;

use tower::Layer;

use super::{service::GuardService, verify::Guard};

/// Puts a guard around any service, gRPC and HTTP alike.
#[derive(Clone, Debug)]
pub struct GuardLayer {
    guard: Arc<Guard>,
}

impl GuardLayer {
    /// A layer of this guard.
    pub fn new(guard: Arc<Guard>) -> Self {
        Self { guard }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GuardService::new(self.guard.clone(), inner)
    }
}
