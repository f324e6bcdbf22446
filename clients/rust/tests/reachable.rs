//! Whether a worker answers at all, whatever it says about objects.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod raw;

use std::{sync::Arc, time::Duration};

use axum::{Router, http::StatusCode, routing::get};
use brigade_client::{
    HttpWorkerClient, WorkerClient,
    identity::{Error, IdToken, TokenSource},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::net::TcpListener;
use tonic_health::pb::health_check_response::ServingStatus;
use url::Url;

use self::raw::{GRPC, PATIENCE, Respond, head, page, server, trailers_only};

/// Answers a health check with this status.
fn health(status: ServingStatus) -> impl Fn(Respond) + Clone {
    // `HealthCheckResponse` of one field, `status`, and the length before it.
    let message = [0, 0, 0, 0, 2, 8, status as u8];
    move |mut respond| {
        let mut body = respond.send_response(head(200, &[GRPC]), false).unwrap();
        body.send_data(Bytes::copy_from_slice(&message), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        body.send_trailers(trailers).unwrap();
    }
}

async fn reached(url: &Url) -> bool {
    WorkerClient::new(url, None, None).unwrap().is_reachable(PATIENCE).await
}

/// An address where nothing listens.
async fn closed() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()
}

#[tokio::test]
async fn a_worker_is_reachable_when_it_answers_a_health_check_at_all() {
    for (status, reachable) in [
        (ServingStatus::Serving, true),
        (ServingStatus::Unknown, true),
        (ServingStatus::ServiceUnknown, true),
        (ServingStatus::NotServing, false),
    ] {
        assert_eq!(reached(&server(health(status)).await).await, reachable, "{status:?}");
    }
    // UNIMPLEMENTED: a worker without that service. UNAVAILABLE: a proxy before a worker that is gone.
    for (status, reachable) in [("12", true), ("5", true), ("16", true), ("14", false)] {
        assert_eq!(reached(&server(trailers_only(status)).await).await, reachable, "{status}");
    }
}

#[tokio::test]
async fn a_worker_is_not_reachable_when_something_else_or_nothing_answers() {
    for status in [200, 403, 404, 503] {
        assert!(!reached(&server(page(status, &[])).await).await, "{status}");
    }
    assert!(!reached(&closed().await).await);
    let silent = server(|respond: Respond| std::mem::forget(respond)).await;
    let client = WorkerClient::new(&silent, None, None).unwrap();
    assert!(!client.is_reachable(Duration::from_millis(50)).await);
}

/// A service that answers a GET of its root with this status, and knows no other path.
async fn http(status: StatusCode) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/tasks/process?mode=fast", listener.local_addr().unwrap());
    let root = get(move || async move { (status, [("location", "http://127.0.0.1:1/")]) });
    let app = Router::new().route("/", root).fallback(StatusCode::IM_A_TEAPOT);
    tokio::spawn(async move { axum::serve(listener, app).await });
    url.parse().unwrap()
}

#[tokio::test]
async fn an_http_worker_is_reachable_when_its_origin_answers_below_500() {
    let reached = async |url: &Url| {
        HttpWorkerClient::new(url, None, None).unwrap().is_reachable(PATIENCE).await
    };
    for (status, reachable) in
        [(200, true), (302, true), (401, true), (404, true), (500, false), (503, false)]
    {
        let url = http(StatusCode::from_u16(status).unwrap()).await;
        assert_eq!(reached(&url).await, reachable, "{status}");
    }
    assert!(!reached(&closed().await).await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let client = HttpWorkerClient::new(&silent, None, None).unwrap();
    assert!(!client.is_reachable(Duration::from_millis(50)).await);
}

/// Has no token, and says so.
#[derive(Debug)]
struct Nothing;

#[async_trait::async_trait]
impl TokenSource for Nothing {
    async fn fetch(&self, _audience: &str) -> Result<IdToken, Error> {
        Err(Error::NoSource { tried: "nothing".into() })
    }

    fn describe(&self) -> String {
        "nothing".into()
    }
}

#[tokio::test]
async fn a_check_carries_the_token_that_calls_carry() {
    let url = server(health(ServingStatus::Serving)).await;
    let client = WorkerClient::new(&url, Some(Arc::new(Nothing)), None).unwrap();
    assert!(!client.is_reachable(PATIENCE).await);
    let url = http(StatusCode::OK).await;
    let client = HttpWorkerClient::new(&url, Some(Arc::new(Nothing)), None).unwrap();
    assert!(!client.is_reachable(PATIENCE).await);
}
