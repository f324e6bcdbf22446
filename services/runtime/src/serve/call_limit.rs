//! A limit on the calls in flight over all connections. What is above it is refused at once, so that nobody waits in a
//! queue that nobody sees.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Response, StatusCode, header::RETRY_AFTER},
    response::IntoResponse as _,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use crate::health::{CHECKS, Kind};

const WORDS: &str = "this service has as many calls in flight as it takes; try again";

/// Places for calls, and others for checks of the health.
pub(super) struct Room {
    calls: Arc<Semaphore>,
    checks: Arc<Semaphore>,
}

/// A call's place, until it is dropped; nothing for what needs none.
pub(super) type Place = Option<OwnedSemaphorePermit>;

// === impl Room ===

impl Room {
    /// The room of one connection: its calls take places of all connections, its checks take its own.
    pub(super) fn new(calls: Arc<Semaphore>) -> Self {
        Self {
            calls,
            checks: Arc::new(Semaphore::new(CHECKS)),
        }
    }

    /// A place, or the answer that there is none.
    ///
    /// Health takes none of the calls' places: a probe that fails under load would have the instance killed for being busy.
    /// Nor are there places that all probes share, for anybody may send one and take his time.
    pub(super) fn admit(&self, kind: Kind, grpc: bool) -> Result<Place, Response<Body>> {
        let places = match kind {
            Kind::Healthz => return Ok(None),
            Kind::Check => &self.checks,
            Kind::Call => &self.calls,
        };
        match places.clone().try_acquire_owned() {
            Ok(place) => Ok(Some(place)),
            Err(_) => Err(refuse(grpc)),
        }
    }
}

fn refuse(grpc: bool) -> Response<Body> {
    if grpc {
        return Status::resource_exhausted(WORDS).into_http();
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [(RETRY_AFTER, "1")],
        format!("{WORDS}\n"),
    )
        .into_response()
}
