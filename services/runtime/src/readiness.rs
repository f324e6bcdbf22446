//! A port that is open before the service behind it: health answers from the first moment, every other call waits.
//!
//! Reading the trusted roots and creating clients takes longer than the rest of a start. The platform wants to see the port open
//! meanwhile, and must not take the service for ready when it is not.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Request, StatusCode},
    response::Response,
};
use tokio::{sync::SetOnce, time::timeout};
use tonic::Status;
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::ServiceExt as _;

use crate::{
    health,
    protocol::{error_response, is_grpc},
};

/// How long a call waits for the service. A start takes milliseconds, unless what it needs is unreachable.
const MAX_WAIT: Duration = Duration::from_secs(10);
const STILL_STARTING: &str = "the service is still starting; try again";

/// Opens once.
#[derive(Clone, Debug)]
pub(crate) struct ReadinessGate {
    name: &'static str,
    service: Arc<SetOnce<Router>>,
    reporter: HealthReporter,
    watch: Router,
}

// === impl ReadinessGate ===

impl ReadinessGate {
    /// A closed gate, and the routes before it: health, and a fallback that waits for the gate to open.
    pub(crate) async fn closed(name: &'static str) -> (Self, Router) {
        let service = Arc::<SetOnce<Router>>::default();
        let opened = service.clone();
        let (health, reporter) = health::starting(name, move || opened.initialized()).await;
        let waiting =
            Router::new().fallback(forward).with_state(service.clone()).merge(health.open);
        let gate = Self { name, service, reporter, watch: health.guarded };
        (gate, waiting)
    }

    /// The part of health that needs a token, to be served behind the guard.
    pub(crate) fn watch(&self) -> Router {
        self.watch.clone()
    }

    /// Forwards waiting and new calls to the service; health reports `SERVING`.
    pub(crate) async fn open(&self, service: Router) {
        // A gate that is already open keeps its service.
        let _ = self.service.set(service);
        health::report(&self.reporter, self.name, ServingStatus::Serving).await;
    }
}

async fn forward(State(service): State<Arc<SetOnce<Router>>>, request: Request<Body>) -> Response {
    match timeout(MAX_WAIT, service.wait()).await {
        Ok(router) => {
            let Ok(response) = router.clone().oneshot(request).await;
            response
        }
        // Nothing was done, and the caller may retry.
        Err(_) => error_response(
            is_grpc(request.headers()),
            Status::unavailable(STILL_STARTING),
            StatusCode::SERVICE_UNAVAILABLE,
        ),
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        http::header::{CONTENT_TYPE, RETRY_AFTER},
        routing::get,
    };
    use tokio::time::Instant;

    use super::*;

    const SERVICE: &str = "brigade.v1.WorkerService";

    fn get_request(path: &str) -> Request<Body> {
        Request::get(path).body(Body::empty()).unwrap()
    }

    async fn answer(router: &Router, request: Request<Body>) -> (StatusCode, String) {
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1_000).await;
        (status, String::from_utf8(body.unwrap().to_vec()).unwrap())
    }

    fn app() -> Router {
        Router::new().route("/work", get(async || "done"))
    }

    #[tokio::test(start_paused = true)]
    async fn health_answers_before_the_service_is_there_and_says_that_it_is_not() {
        let (gate, router) = ReadinessGate::closed(SERVICE).await;
        let starting = (StatusCode::SERVICE_UNAVAILABLE, "starting\n".to_owned());
        let began = Instant::now();
        for path in ["/health", "/healthz"] {
            assert_eq!(answer(&router, get_request(path)).await, starting, "{path}");
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        gate.open(app()).await;
        let ok = (StatusCode::OK, "ok\n".to_owned());
        for path in ["/health", "/healthz"] {
            assert_eq!(answer(&router, get_request(path)).await, ok, "{path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_comes_too_early_waits_and_is_answered_by_the_service() {
        let (gate, router) = ReadinessGate::closed(SERVICE).await;
        let early = tokio::spawn(async move { answer(&router, get_request("/work")).await });
        tokio::time::sleep(MAX_WAIT / 2).await;
        assert!(!early.is_finished());
        gate.open(app()).await;
        assert_eq!(early.await.unwrap(), (StatusCode::OK, "done".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_may_be_retried_when_the_service_takes_too_long() {
        let (_gate, router) = ReadinessGate::closed(SERVICE).await;
        let response = router.clone().oneshot(get_request("/work")).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let grpc = Request::post("/brigade.v1.WorkerService/Process")
            .header(CONTENT_TYPE, "application/grpc")
            .body(Body::empty())
            .unwrap();
        let response = router.oneshot(grpc).await.unwrap();
        assert_eq!(response.headers()["grpc-status"], "14");
    }

    #[tokio::test]
    async fn what_the_service_does_not_know_is_refused_by_the_service() {
        let (gate, router) = ReadinessGate::closed(SERVICE).await;
        let app = app().fallback(async || (StatusCode::UNAUTHORIZED, "no token"));
        gate.open(app).await;
        let refused = (StatusCode::UNAUTHORIZED, "no token".to_owned());
        assert_eq!(answer(&router, get_request("/other")).await, refused);
    }
}
