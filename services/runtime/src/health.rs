//! Health: `grpc.health.v1` for probes, `GET /healthz` for people.
//!
//! A check is open to everybody, for Cloud Run's probes come without a token. A `Watch` lasts as long as its caller likes:
//! it needs a token like any other call.

use std::time::Duration;

use axum::{Router, routing::get};
use tonic_health::{ServingStatus, server::HealthReporter};

/// gRPC's health check, the one method that is open.
const CHECK: &str = "/grpc.health.v1.Health/Check";
/// The other one.
const WATCH: &str = "/grpc.health.v1.Health/Watch";
/// The name of a service fits; who has no token sends no more.
const MAX_MESSAGE: usize = 1024;

/// How many checks may be under way at once, whoever sends them.
pub(crate) const PROBES: usize = 1_000;
/// How long a check may take to arrive.
pub(crate) const PROBE_TIME: Duration = Duration::from_secs(5);

/// A service's health, by who may ask.
#[derive(Clone, Debug)]
pub struct Health {
    /// For everybody: the check, in gRPC and HTTP.
    pub open: Router,
    /// For callers: the watch.
    pub guarded: Router,
}

/// Whether a path is one that is open.
pub(crate) fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | CHECK)
}

/// The health of these services. Says serving from its first moment.
pub async fn routes(services: &[&str]) -> Health {
    let (reporter, service) = tonic_health::server::health_reporter();
    serving(&reporter, services).await;
    let service = service
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    Health {
        open: Router::new()
            .route_service(CHECK, service.clone())
            .route("/healthz", get(async || "ok\n")),
        guarded: Router::new().route_service(WATCH, service),
    }
}

async fn serving(reporter: &HealthReporter, services: &[&str]) {
    for service in services {
        reporter
            .set_service_status(service, ServingStatus::Serving)
            .await;
    }
}
