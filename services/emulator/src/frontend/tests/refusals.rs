//! What is refused, and in which shape.

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// A page, and nothing that a gRPC client could take for a status.
async fn page(answer: reqwest::Response, status: StatusCode, title: &str) {
    assert_eq!(answer.status(), status);
    let headers = answer.headers().clone();
    assert!(!headers.contains_key("grpc-status"));
    assert_eq!(headers["server"], "Google Frontend");
    let content_type = headers["content-type"].to_str().unwrap();
    assert!(content_type.starts_with("text/html"), "{content_type}");
    let challenge = headers.get("www-authenticate");
    assert_eq!(challenge.is_some(), status == StatusCode::UNAUTHORIZED);
    if let Some(challenge) = challenge {
        let challenge = challenge.to_str().unwrap();
        assert!(challenge.starts_with(r#"Bearer error="invalid_token""#));
    }
    let body = answer.text().await.unwrap();
    let title = match status {
        StatusCode::TOO_MANY_REQUESTS => "Rate exceeded.".to_owned(),
        _ => format!("<title>{title}</title>"),
    };
    assert!(body.contains(&title), "{body}");
}

#[tokio::test]
async fn the_pages_are_those_that_people_saw() {
    let shape = private().await;
    let forbidden = shape.get(&[]).await.text().await.unwrap();
    let unauthorized = shape.get(&[("authorization", "Bearer x")]).await.text().await.unwrap();
    insta::assert_snapshot!(format!("{forbidden}\n{unauthorized}"));
}

#[tokio::test]
async fn the_front_end_answers_healthz_itself_and_no_path_beside_it() {
    let shape = shape(|service| service.invoker(POLLER).invoker("allUsers")).await;
    let bearer = shape.bearer(POLLER);
    let call = async |path: &str| {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http.get(shape.front.url().join(path).unwrap());
        request.header("authorization", &bearer).send().await.unwrap()
    };
    for path in ["/healthz", "/healthz?x=1"] {
        let answer = call(path).await;
        assert_eq!(answer.headers()["server"], "Google Frontend");
        page(answer, StatusCode::NOT_FOUND, "Error 404 (Not Found)!!1").await;
        assert!(shape.container.heard().is_none(), "{path}");
    }
    for path in ["/health", "/healthz/", "/readyz"] {
        assert_eq!(call(path).await.status(), StatusCode::OK, "{path}");
        assert!(shape.container.heard().is_some(), "{path}");
    }
}

#[tokio::test]
async fn no_token_is_forbidden_and_a_bad_one_is_unauthorized() {
    let shape = private().await;
    let answer = shape.get(&[]).await;
    page(answer, StatusCode::FORBIDDEN, "403 Forbidden").await;
    for bad in ["Bearer x", "Basic eDp5", "Bearer", ""] {
        let answer = shape.get(&[("authorization", bad)]).await;
        page(answer, StatusCode::UNAUTHORIZED, "401 Unauthorized").await;
    }
    let bearer = shape.bearer(POLLER);
    let twice = [("authorization", bearer.as_str()), ("authorization", &bearer)];
    assert_eq!(shape.get(&twice).await.status(), StatusCode::UNAUTHORIZED);
    assert!(shape.container.heard().is_none());
}

#[tokio::test]
async fn an_account_that_is_no_invoker_is_forbidden() {
    let shape = private().await;
    let bearer = shape.bearer(STRANGER);
    let answer = shape.get(&[("authorization", &bearer)]).await;
    page(answer, StatusCode::FORBIDDEN, "403 Forbidden").await;
    assert!(shape.container.heard().is_none());
}

#[tokio::test]
async fn a_host_of_no_service_is_not_found_whatever_the_token() {
    let shape = shape(|service| service.invoker(POLLER).audience("https://worker.example")).await;
    let bearer = shape.bearer(POLLER);
    let headers = [("authorization", bearer.as_str()), ("host", "other.example")];
    let answer = shape.get(&headers).await;
    page(answer, StatusCode::NOT_FOUND, "404 Not Found").await;
    for host in ["worker.example", "WORKER.example"] {
        let headers = [("authorization", bearer.as_str()), ("host", host)];
        assert_eq!(shape.get(&headers).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_container_that_is_not_there_is_unavailable() {
    // Bound, so that no other test gets the port, and nothing listens on it.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let unused = socket.local_addr().unwrap();
    let mut shape = private().await;
    let service = Service::new("worker", unused).invoker(POLLER);
    shape.front = shape.google.front_end(loopback().await, &service).unwrap();
    let bearer = shape.bearer(POLLER);
    let answer = shape.get(&[("authorization", &bearer)]).await;
    let title = "503 Service Unavailable";
    page(answer, StatusCode::SERVICE_UNAVAILABLE, title).await;
}

#[tokio::test]
async fn a_container_that_hangs_up_or_speaks_something_else_is_unavailable() {
    let listener = loopback().await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        let _ = first.read(&mut [0; 1024]).await;
        drop(first);
        let (mut second, _) = listener.accept().await.unwrap();
        let _ = second.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        let _ = second.read(&mut [0; 1024]).await;
    });
    let mut shape = private().await;
    let service = Service::new("worker", address).invoker(POLLER);
    shape.front = shape.google.front_end(loopback().await, &service).unwrap();
    let bearer = shape.bearer(POLLER);
    for _ in 0..2 {
        let answer = shape.get(&[("authorization", &bearer)]).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}

#[tokio::test]
async fn one_call_too_many_is_refused_until_another_one_ends() {
    let shape = shape(|service| service.invoker(POLLER).max_in_flight(1)).await;
    let (first, body) = container::frames();
    let running = shape.send(body).await.unwrap();
    let bearer = shape.bearer(POLLER);
    let answer = shape.get(&[("authorization", &bearer)]).await;
    let title = "429 Too Many Requests";
    page(answer, StatusCode::TOO_MANY_REQUESTS, title).await;
    drop(first);
    whole(running).await.unwrap();
    while shape.get(&[("authorization", &bearer)]).await.status() != StatusCode::OK {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn grpc_callers_get_pages_too() {
    let shape = shape(|service| service).await;
    let response = shape.call("x").await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    let (_, trailers) = whole(response).await.unwrap();
    assert!(trailers.is_empty());
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let shape = private().await;
    let open = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let service = Service::new("worker", shape.container.address);
    let error = shape.google.front_end(open, &service).unwrap_err();
    assert!(error.to_string().contains("bind it to 127.0.0.1"), "{error}");
}
