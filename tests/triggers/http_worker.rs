//! A worker that speaks HTTP alone, behind the poller: an existing service that takes JSON and answers 200 or 500.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Response},
    routing::post,
};
use brigade_poller::settings::Protocol;
use brigade_proto::v1::Settlement;
use serde_json::Value;
use url::Url;

use crate::{
    caller::obeying,
    harness::{System, loopback, url},
};

type Seen = Arc<Mutex<Vec<(HeaderMap, Value)>>>;

/// A typical service: the body has a bucket and a name, and the answer is 200 or 500.
async fn work(State(seen): State<Seen>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let name = body["name"].as_str().unwrap().to_owned();
    seen.lock().unwrap().push((headers, body));
    match name.rsplit('/').next().unwrap() {
        "bad" => (StatusCode::INTERNAL_SERVER_ERROR, "line 2 is not a number").into_response(),
        "page" => {
            let page = "<html><head><title>500 Server Error</title></head><body><h1>Error: Server Error</h1></body></html>";
            (StatusCode::INTERNAL_SERVER_ERROR, Html(page)).into_response()
        }
        "gone" => StatusCode::NOT_FOUND.into_response(),
        "busy" => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => "OK".into_response(),
    }
}

async fn worker() -> (Url, Seen) {
    let seen = Seen::default();
    let listener = loopback().await;
    let at = url(&listener).join("tasks/process?mode=fast").unwrap();
    let app = Router::new().route("/tasks/process", post(work)).with_state(seen.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (at, seen)
}

async fn system() -> (System, Seen) {
    let (at, seen) = worker().await;
    let system = System::tuned_at(at, |_, settings| settings.worker_protocol = Protocol::Http);
    (system.await, seen)
}

#[tokio::test]
async fn an_existing_service_works_unchanged_and_gets_a_token() {
    let (system, seen) = system().await;
    let generation = system.upload("a b", "x");
    system.upload("bad", "x");
    let polled = system.poll().await.unwrap();
    assert_eq!(
        polled.outcomes(),
        [
            ("incoming/a b".into(), Settlement::Processed),
            ("incoming/bad".into(), Settlement::Failed)
        ]
    );
    assert_eq!(system.names(), ["failed/bad", "processed/a b"]);
    let metadata = system.metadata_of("failed/bad").await;
    assert_eq!(metadata["brigade-reason"], "line 2 is not a number");

    let seen = seen.lock().unwrap();
    let (headers, body) = seen.iter().find(|(_, body)| body["name"] == "incoming/a b").unwrap();
    assert_eq!(body["bucket"], "data");
    assert_eq!(body["generation"], generation.to_string());
    assert_eq!(body["object"]["size"], "1");
    assert_eq!(headers["content-type"], "application/json");
    let token = headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap().claims;
    let audience = brigade_client::identity::origin(&system.worker);
    assert_eq!(claims["aud"], audience);
    assert_eq!(headers["x-serverless-authorization"], headers["authorization"]);
}

#[tokio::test]
async fn a_front_ends_page_and_a_busy_service_move_nothing_and_are_no_attempts() {
    for name in ["page", "busy"] {
        let (system, _) = system().await;
        system.upload(name, "x");
        // The breaker may end it; the object stays in any case.
        let _ = system.poll().await;
        let path = format!("incoming/{name}");
        assert_eq!(system.names(), [path.as_str()]);
        assert_eq!(system.metadata_of(&path).await.get("brigade-attempts"), None);
    }
}

#[tokio::test]
async fn an_address_that_is_not_there_stops_the_poll_with_the_fix() {
    let (system, _) = system().await;
    for name in ["a-gone/gone", "b-gone/gone"] {
        system.upload(name, "x");
    }
    let error = system.poll().await.unwrap_err();
    assert!(error.message().contains("BRIGADE_WORKER_PROTOCOL"), "{error}");
    assert!(system.names().contains(&"incoming/a-gone/gone".to_owned()));
}

#[tokio::test]
async fn our_own_worker_takes_the_same_request_over_http() {
    let system = System::tuned(obeying(), |system, settings| {
        settings.worker_protocol = Protocol::Http;
        settings.worker_url = system.worker.join("process").unwrap();
    })
    .await;
    system.upload("a", "x");
    system.upload("bad", "x");
    let polled = system.poll().await.unwrap();
    assert!(polled.settled.iter().any(|one| one.summary == "done"));
    assert_eq!(system.names(), ["failed/bad", "processed/a"]);
}
