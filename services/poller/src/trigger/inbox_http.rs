//! `InboxService` for callers that speak no gRPC: the bodies are its messages in proto3 JSON.

use std::convert::Infallible;

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::post,
};
use brigade_proto::v1::GetObjectRequest;
use futures::{Stream, StreamExt as _, stream};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    answer::{problem, refuse},
    inbox_grpc::not_found,
};
use crate::{
    error::PollError,
    inbox::{list, look, replay, status},
    poller::Poller,
};

/// `POST /inbox/status` and `/inbox/object` answer one message. `/inbox/objects` and `/inbox/replay` answer a message a line; an error after the
/// first line is a line with `error`, the last one.
pub(super) fn routes() -> Router<Poller> {
    Router::new()
        .route("/inbox/status", post(status))
        .route("/inbox/object", post(object))
        .route("/inbox/objects", post(objects))
        .route("/inbox/replay", post(replay))
}

async fn status(State(poller): State<Poller>, body: Bytes) -> Response {
    let request = match parse(&body) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    match status::status(&poller.instance, request).await {
        Ok(status) => Json(status).into_response(),
        Err(error) => refuse(&error),
    }
}

async fn object(State(poller): State<Poller>, body: Bytes) -> Response {
    let request: GetObjectRequest = match parse(&body) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    match look::look(&poller.instance, &request).await {
        Ok(Some(found)) => Json(found).into_response(),
        Ok(None) => problem(StatusCode::NOT_FOUND, &not_found(&request.name)),
        Err(error) => refuse(&error),
    }
}

async fn objects(State(poller): State<Poller>, body: Bytes) -> Response {
    match parse(&body) {
        Ok(request) => lines(list::list(&poller.instance, request)).await,
        Err(refused) => refused,
    }
}

async fn replay(State(poller): State<Poller>, body: Bytes) -> Response {
    match parse(&body) {
        Ok(request) => lines(replay::replay(poller.instance, request)).await,
        Err(refused) => refused,
    }
}

/// An empty body is the message without fields.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Response> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        let why = format!("the body is not the request in proto3 JSON: {error}");
        problem(StatusCode::BAD_REQUEST, &why)
    })
}

/// A message a line. What fails before the first one has a status.
async fn lines<T: Serialize + Send + 'static>(
    messages: Result<impl Stream<Item = Result<T, PollError>> + Send + 'static, PollError>,
) -> Response {
    let mut messages = match messages {
        Ok(messages) => Box::pin(messages),
        Err(error) => return refuse(&error),
    };
    let first = match messages.next().await {
        Some(Err(error)) => return refuse(&error),
        first => first,
    };
    let lines = stream::iter(first).chain(messages).map(|message| {
        let line = match message {
            Ok(message) => serde_json::to_string(&message),
            Err(error) => Ok(serde_json::json!({ "error": error.to_string() }).to_string()),
        };
        // A message of the contract can always be written as JSON.
        Ok::<_, Infallible>(line.unwrap_or_default() + "\n")
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}
