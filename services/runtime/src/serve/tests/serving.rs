//! What is served, and what a bug in a handler does.

use super::*;
use crate::telemetry::{Buffer, Format, subscriber};

#[tokio::test]
async fn http1_and_http2_are_served_on_one_port() {
    let server = Running::start(hello(), Limits::default()).await;
    for (client, version) in [(http1(), Version::HTTP_11), (http2(), Version::HTTP_2)] {
        let response = client.get(server.url("/")).send().await.unwrap();
        assert_eq!(response.version(), version);
        assert_eq!(response.text().await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn a_handler_that_panics_answers_and_the_server_goes_on() {
    let router = hello().route("/panic", get(async || -> Body { panic!("secret words") }));
    let server = Running::start(router, Limits::default()).await;
    for client in [http1(), http2()] {
        let response = client.get(server.url("/panic")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!response.text().await.unwrap().contains("secret"));
        assert_eq!(client.get(server.url("/")).send().await.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_grpc_handler_that_panics_answers_internal() {
    let router = Router::new().route("/panic", get(async || -> Body { panic!("secret words") }));
    let server = Running::start(router, Limits::default()).await;
    let call = http2().get(server.url("/panic")).header("content-type", "application/grpc");
    let response = call.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["grpc-status"], "13");
    assert!(!response.headers()["grpc-message"].to_str().unwrap().contains("secret"));
}

#[tokio::test]
async fn the_line_of_a_panic_has_the_method_path_and_status_of_an_http_call() {
    let text = Buffer::default();
    let _logging =
        tracing::subscriber::set_default(subscriber(Format::Json, "error", text.clone()));
    let router = Router::new().route("/panic", get(async || -> Body { panic!("secret words") }));
    let server = Running::start(router, Limits::default()).await;
    assert_eq!(http1().get(server.url("/panic")).send().await.unwrap().status(), 500);
    let line: serde_json::Value = serde_json::from_str(text.text().trim()).unwrap();
    let request =
        serde_json::json!({ "requestMethod": "GET", "requestUrl": "/panic", "status": 500 });
    assert_eq!((&line["httpRequest"], &line["panic"]), (&request, &"secret words".into()));
}
