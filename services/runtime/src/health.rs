//! Health: `grpc.health.v1` for probes, `GET /healthz` for people.
//!
//! A check is open to everybody, for Cloud Run's probes come without a token. A `Watch` lasts as long as its caller likes:
//! it needs a token like any other call.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::get};
use tonic_health::{ServingStatus, server::HealthReporter};

/// For people, and for whatever speaks no gRPC.
const HEALTHZ: &str = "/healthz";
/// gRPC's health check, the one method that is open.
const CHECK: &str = "/grpc.health.v1.Health/Check";
/// The other one.
const WATCH: &str = "/grpc.health.v1.Health/Watch";
/// The name of a service fits; who has no token sends no more.
const MAX_MESSAGE: usize = 1024;
/// What is asked about the server as a whole.
const WHOLE: &str = "";

/// How many checks of one connection may be under way at once. Each connection has its own, so that nobody takes those of
/// another.
pub(crate) const CHECKS: usize = 4;
/// How long a check may take to arrive.
pub(crate) const CHECK_TIME: Duration = Duration::from_secs(5);

/// A service's health, by who may ask.
#[derive(Clone, Debug)]
pub struct Health {
    /// For everybody: the check, in gRPC and HTTP.
    pub open: Router,
    /// For callers: the watch.
    pub guarded: Router,
}

/// Says of a service whether it can do its work yet.
#[derive(Clone, Debug)]
pub struct Readiness {
    reporter: HealthReporter,
    services: Vec<String>,
    ready: Arc<AtomicBool>,
}

/// What a path says of a request before anybody looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `GET /healthz`: it is answered at once, and its body is not read.
    Healthz,
    /// gRPC's check: its message has to arrive.
    Check,
    /// Everything else.
    Call,
}

/// Health's routes are known by their paths.
pub(crate) fn kind(path: &str) -> Kind {
    match path {
        HEALTHZ => Kind::Healthz,
        CHECK => Kind::Check,
        _ => Kind::Call,
    }
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

/// The health of these services. Says serving from its first moment.
pub async fn routes(services: &[&str]) -> Health {
    let (health, readiness) = starting(services).await;
    readiness.ready().await;
    health
}

/// The same for a service that listens before it can do its work: `NOT_SERVING` and 503 until it says that it can.
pub async fn starting(services: &[&str]) -> (Health, Readiness) {
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
    let service = service
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    let health = Health {
        open: Router::new()
            .route_service(CHECK, service.clone())
            .route(HEALTHZ, get(healthz)),
        guarded: Router::new().route_service(WATCH, service),
    };
    (health, readiness)
}
