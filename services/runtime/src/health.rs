//! Health: `grpc.health.v1` for probes, `GET /healthz` for people.
//!
//! A check needs no token, because Cloud Run's probes bring none. A `Watch` lasts as long as its caller likes, so it needs a token
//! like any other call.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::get};
use tonic_health::{ServingStatus, server::HealthReporter};

/// For people, and for clients without gRPC.
const HEALTHZ: &str = "/healthz";
/// gRPC's health check, the only method without a token.
const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
/// The name of a service fits; a client without a token may send no more.
const MAX_MESSAGE: usize = 1024;
/// The name that stands for the whole server.
const WHOLE_SERVER: &str = "";

/// How many checks of one connection may be in flight. Each connection has its own, so that none takes those of another.
pub(crate) const CHECKS: usize = 4;
/// How long a check may take to arrive.
pub(crate) const CHECK_TIME: Duration = Duration::from_secs(5);

/// A service's health, by who may call it.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    /// Without a token: the check, in gRPC and HTTP.
    pub(crate) open: Router,
    /// With a token: the watch.
    pub(crate) guarded: Router,
}

/// Reports whether a service is ready.
#[derive(Clone, Debug)]
pub(crate) struct Readiness {
    reporter: HealthReporter,
    services: Vec<String>,
    ready: Arc<AtomicBool>,
}

/// The kind of a request, by its path alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `GET /healthz`: answered at once; its body is not read.
    Healthz,
    /// gRPC's check: its message has to arrive.
    Check,
    /// Everything else.
    Call,
}

impl Kind {
    /// Health's routes are known by their paths.
    pub(crate) fn from_path(path: &str) -> Self {
        match path {
            HEALTHZ => Self::Healthz,
            CHECK => Self::Check,
            _ => Self::Call,
        }
    }
}

// === impl Readiness ===

impl Readiness {
    /// Reports ready from now on.
    pub(crate) async fn ready(&self) {
        self.ready.store(true, Ordering::Release);
        self.report(ServingStatus::Serving).await;
    }

    async fn report(&self, status: ServingStatus) {
        for service in &self.services {
            self.reporter.set_service_status(service, status).await;
        }
        self.reporter.set_service_status(WHOLE_SERVER, status).await;
    }
}

/// The health of services that are ready from the first moment.
#[cfg(test)]
pub(crate) async fn routes(services: &[&str]) -> Health {
    let (health, readiness) = starting(services).await;
    readiness.ready().await;
    health
}

/// The health of services that listen before they are ready: `NOT_SERVING` and 503 until [`Readiness::ready`].
pub(crate) async fn starting(services: &[&str]) -> (Health, Readiness) {
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
