//! Health: `grpc.health.v1` for probes, `GET /healthz` for people.

use axum::{Router, routing::get};
use tonic_health::{ServingStatus, server::HealthReporter};

/// What a client asks gRPC's health service under.
const GRPC: &str = "/grpc.health.v1.Health/";

/// Whether a path is one of health's.
pub(crate) fn is_probe(path: &str) -> bool {
    path == "/healthz" || path.starts_with(GRPC)
}

/// Both, open to everybody: Cloud Run's probes come without a token. Says serving from its first moment.
pub async fn routes(services: &[&str]) -> Router {
    let (reporter, service) = tonic_health::server::health_reporter();
    serving(&reporter, services).await;
    tonic::service::Routes::new(service)
        .into_axum_router()
        .route("/healthz", get(async || "ok\n"))
}

async fn serving(reporter: &HealthReporter, services: &[&str]) {
    for service in services {
        reporter
            .set_service_status(service, ServingStatus::Serving)
            .await;
    }
}
