//! Bodies that take their time, on their way to us.

use axum::{body::Bytes, routing::post};
use tokio::time::{Instant, sleep};
use tokio_stream::{Stream, StreamExt as _};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest,
};

use super::{
    pipe::{Server, call},
    *,
};

const TIME: Duration = Duration::from_secs(30);

fn reading() -> Router {
    let read = async |body: Bytes| body.len().to_string();
    let work = async |_: Bytes| sleep(TIME * 60).await;
    let unread = async || sleep(TIME * 60).await;
    Router::new().route("/", post(read)).route("/work", post(work)).route("/unread", post(unread))
}

/// Some bytes, and never an end.
fn never_ends() -> impl Stream<Item = io::Result<&'static str>> {
    tokio_stream::once(Ok("some")).chain(tokio_stream::pending())
}

/// A byte every second.
fn drips() -> impl Stream<Item = io::Result<&'static str>> {
    tokio_stream::iter(std::iter::repeat_with(|| Ok("x"))).throttle(Duration::from_secs(1))
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_in_time_ends_its_call() {
    let limits = Limits { calls: 1, ..Limits::default() };
    let channel = Server::new(reading(), limits).channel();
    for body in [Body::from_stream(never_ends()), Body::from_stream(drips())] {
        let began = Instant::now();
        let answer = call(&channel, "/", false, body).await;
        assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(began.elapsed().as_secs(), TIME.as_secs());
    }
    let body = Body::from_stream(never_ends());
    let answer = call(&channel, "/", true, body).await;
    assert_eq!(answer.headers()["grpc-status"], "4");
    // The place is free again.
    let answer = call(&channel, "/", false, Body::from("whole")).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn so_does_one_over_http_1() {
    let server = Server::new(reading(), Limits::default());
    let (mut client, driven) = server.open();
    client.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nsome").await.unwrap();
    let began = Instant::now();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(began.elapsed().as_secs(), TIME.as_secs());
    driven.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_body_has_come_may_work_as_long_as_it_likes() {
    let channel = Server::new(reading(), Limits::default()).channel();
    for body in [Body::from("whole"), Body::from_stream(drips().take(20))] {
        let began = Instant::now();
        let answer = call(&channel, "/work", false, body).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(began.elapsed() >= TIME * 60);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_waits_for_is_in_nobodys_way() {
    let channel = Server::new(reading(), Limits::default()).channel();
    let body = Body::from_stream(never_ends());
    let answer = call(&channel, "/unread", false, body).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

/// Reflection's questions are one body. Tools send them in a burst, and open another stream when it has ended.
#[tokio::test(start_paused = true)]
async fn a_reflection_that_stays_open_is_ended() {
    let routes = crate::reflection::routes(brigade_proto::FILE_DESCRIPTOR_SET).unwrap();
    let channel = Server::new(routes, Limits::default()).channel();
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let questions = tokio_stream::once(question).chain(tokio_stream::pending());
    let mut client = ServerReflectionClient::new(channel);
    let answers = client.server_reflection_info(questions).await.unwrap();
    let mut answers = answers.into_inner();
    assert!(answers.message().await.unwrap().is_some());
    let began = Instant::now();
    assert!(answers.message().await.unwrap().is_none());
    assert_eq!(began.elapsed().as_secs(), TIME.as_secs());
}
