//! Health: `grpc.health.v1` for probes, `GET /health` for people and HTTP probes.
//!
//! A check needs no token, because Cloud Run's probes bring none. A `Watch` lasts as long as its caller likes, so it needs a token
//! like any other call.

use std::time::Duration;

use axum::{Router, http::StatusCode, routing::get};
use tonic_health::{ServingStatus, server::HealthReporter};

/// For people, and for clients without gRPC.
const HEALTH: &str = "/health";
/// The same, for probes of before. Google's front end answers it itself, with 404, for every service on Cloud Run.
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

/// The kind of a request, by its path alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `GET /health`: answered at once; its body is not read.
    Health,
    /// gRPC's check: its message has to arrive.
    Check,
    /// Everything else.
    Call,
}

impl Kind {
    /// Health's routes are known by their paths.
    pub(crate) fn from_path(path: &str) -> Self {
        match path {
            HEALTH | HEALTHZ => Self::Health,
            CHECK => Self::Check,
            _ => Self::Call,
        }
    }
}

/// The health of a service that is ready from the first moment.
#[cfg(test)]
pub(crate) async fn routes(service: &str) -> Health {
    let (health, reporter) = starting(service, || true).await;
    report(&reporter, service, ServingStatus::Serving).await;
    health
}

/// The health of a service that listens before it is ready: `NOT_SERVING` until something else is reported, and 503 until `is_ready`.
pub(crate) async fn starting(
    service: &str,
    is_ready: impl Fn() -> bool + Clone + Send + Sync + 'static,
) -> (Health, HealthReporter) {
    let (reporter, server) = tonic_health::server::health_reporter();
    report(&reporter, service, ServingStatus::NotServing).await;
    let answer = async move || {
        if is_ready() {
            (StatusCode::OK, "ok\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "starting\n")
        }
    };
    let server =
        server.max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
    let health = Health {
        open: Router::new()
            .route_service(CHECK, server.clone())
            .route(HEALTH, get(answer.clone()))
            .route(HEALTHZ, get(answer)),
        guarded: Router::new().route_service(WATCH, server),
    };
    (health, reporter)
}

/// Reports the status of a service, and of the whole server.
pub(crate) async fn report(reporter: &HealthReporter, service: &str, status: ServingStatus) {
    for name in [service, WHOLE_SERVER] {
        reporter.set_service_status(name, status).await;
    }
}
