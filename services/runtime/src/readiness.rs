//! A port that is open before the service behind it: health answers from the first moment, everything else waits.
//!
//! Reading the trusted roots and making clients takes longer than all the rest of a start. Whoever starts containers
//! wants to see the port open meanwhile, and must not be told that the service is ready when it is not.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderValue, Request, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse as _, Response},
};
use tokio::{sync::SetOnce, time::timeout};
use tower::ServiceExt as _;

use crate::{
    app::is_grpc,
    health::{self, Readiness},
};

/// How long a call waits for the service. A start takes some milliseconds, unless what it needs is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens once.
#[derive(Clone, Debug)]
pub struct ReadinessGate {
    service: Arc<SetOnce<Router>>,
    readiness: Readiness,
    watch: Router,
}

// === impl ReadinessGate ===

impl ReadinessGate {
    /// A door that is closed, and the routes that stand before it: health, and all that waits for it to open.
    pub async fn closed(service: &str) -> (Self, Router) {
        let (health, readiness) = health::starting(&[service]).await;
        let door = Self {
            service: Arc::default(),
            readiness,
            watch: health.guarded,
        };
        let waiting = Router::new()
            .fallback(pass)
            .with_state(door.service.clone())
            .merge(health.open);
        (door, waiting)
    }

    /// The part of health that is for callers alone, to be served behind the guard.
    pub fn watch(&self) -> Router {
        self.watch.clone()
    }

    /// Lets the calls that wait, and all that come, through to the service; health says that it serves.
    pub async fn open(&self, service: Router) {
        // A door that is open already stays as it is.
        let _ = self.service.set(service);
        self.readiness.ready().await;
    }
}

async fn pass(State(service): State<Arc<SetOnce<Router>>>, request: Request<Body>) -> Response {
    match timeout(PATIENCE, service.wait()).await {
        Ok(router) => {
            let Ok(response) = router.clone().oneshot(request).await;
            response
        }
        Err(_) => not_yet(&request),
    }
}

/// Said in the caller's own protocol: nothing was done, and it may ask again.
fn not_yet(request: &Request<Body>) -> Response {
    if is_grpc(request.headers()) {
        tonic::Status::unavailable("the service is still starting").into_http()
    } else {
        let retry = [(RETRY_AFTER, HeaderValue::from_static("1"))];
        let words = "the service is still starting\n";
        (StatusCode::SERVICE_UNAVAILABLE, retry, words).into_response()
    }
}

#[cfg(test)]
mod tests {
    use axum::{http::header::CONTENT_TYPE, routing::get};
    use tokio::time::Instant;

    use super::*;

    const SERVICE: &str = "brigade.v1.WorkerService";

    fn asking(path: &str) -> Request<Body> {
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
        let (door, router) = ReadinessGate::closed(SERVICE).await;
        let starting = (StatusCode::SERVICE_UNAVAILABLE, "starting\n".to_owned());
        let began = Instant::now();
        assert_eq!(answer(&router, asking("/healthz")).await, starting);
        assert_eq!(began.elapsed(), Duration::ZERO);
        door.open(app()).await;
        let ok = (StatusCode::OK, "ok\n".to_owned());
        assert_eq!(answer(&router, asking("/healthz")).await, ok);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_comes_too_early_waits_and_is_answered_by_the_service() {
        let (door, router) = ReadinessGate::closed(SERVICE).await;
        let early = tokio::spawn(async move { answer(&router, asking("/work")).await });
        tokio::time::sleep(PATIENCE / 2).await;
        assert!(!early.is_finished());
        door.open(app()).await;
        assert_eq!(early.await.unwrap(), (StatusCode::OK, "done".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_told_to_come_again_when_the_service_takes_too_long() {
        let (_door, router) = ReadinessGate::closed(SERVICE).await;
        let response = router.clone().oneshot(asking("/work")).await.unwrap();
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
        let (door, router) = ReadinessGate::closed(SERVICE).await;
        let app = app().fallback(async || (StatusCode::UNAUTHORIZED, "who are you"));
        door.open(app).await;
        let refused = (StatusCode::UNAUTHORIZED, "who are you".to_owned());
        assert_eq!(answer(&router, asking("/other")).await, refused);
    }
}
