//! Health: `grpc.health.v1` for probes, `GET /healthz` for people.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{Router, http::StatusCode, routing::get};
use tonic_health::{ServingStatus, server::HealthReporter};

/// What a client asks gRPC's health service under.
const GRPC: &str = "/grpc.health.v1.Health/";

/// What is asked about the server as a whole.
const WHOLE: &str = "";

/// Whether a path is one of health's.
pub(crate) fn is_probe(path: &str) -> bool {
    path == "/healthz" || path.starts_with(GRPC)
}

/// Says of a service whether it can do its work yet.
#[derive(Clone, Debug)]
pub struct Readiness {
    reporter: HealthReporter,
    services: Vec<String>,
    ready: Arc<AtomicBool>,
}

// === impl Readiness ===

impl Readiness {
    /// From now on the answer is yes.
    pub async fn ready(&self) {
        self.ready.store(true, Ordering::Release);
        self.report(ServingStatus::Serving).await;
    }

    async fn report(&self, status: ServingStatus) {
        for service in &self.services {
            self.reporter.set_service_status(service, status).await;
        }
        self.reporter.set_service_status(WHOLE, status).await;
    }
}

/// Both, open to everybody: Cloud Run's probes come without a token. Says serving from its first moment.
pub async fn routes(services: &[&str]) -> Router {
    let (routes, readiness) = starting(services).await;
    readiness.ready().await;
    routes
}

/// Both, for a service that listens before it can do its work: `NOT_SERVING` and 503 until it says that it can.
pub async fn starting(services: &[&str]) -> (Router, Readiness) {
    let (reporter, service) = tonic_health::server::health_reporter();
    let ready = Arc::new(AtomicBool::new(false));
    let readiness = Readiness {
        reporter,
        services: services.iter().map(ToString::to_string).collect(),
        ready: ready.clone(),
    };
    readiness.report(ServingStatus::NotServing).await;
    let healthz = async move || {
        if ready.load(Ordering::Acquire) {
            (StatusCode::OK, "ok\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "starting\n")
        }
    };
    let routes = tonic::service::Routes::new(service)
        .into_axum_router()
        .route("/healthz", get(healthz));
    (routes, readiness)
}
