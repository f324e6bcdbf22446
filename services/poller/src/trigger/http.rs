//! `POST /poll`, for callers that speak no gRPC: Cloud Scheduler, Cloud Tasks, curl.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use brigade_proto::v1::{PollFinished, PollRequest, poll_response::Event};

use super::{
    answer::{problem, refuse},
    caller,
};
use crate::{error::PollError, poll::Poller, report::Events};

const MAX_REQUEST: usize = 64 * 1024;

/// The HTTP routes.
pub(super) fn routes(poller: Poller) -> Router {
    Router::new()
        .route("/poll", post(poll))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(poller)
}

/// Polls once and answers the summary. 200: `PollFinished` as proto3 JSON; a poll that found another at work is one too. 400:
/// the body is no `PollRequest`. 503 with `Retry-After`: the worker or the storage is away. 500: something must be mended
/// first, and the body says what.
async fn poll(State(poller): State<Poller>, headers: HeaderMap, body: Bytes) -> Response {
    let request = match parse(&body) {
        Ok(request) => request,
        Err(why) => return problem(StatusCode::BAD_REQUEST, &why),
    };
    let trigger = caller::of(&headers, "http");
    let summary = match poller.start(&request, &trigger) {
        Ok(events) => finished(events).await,
        Err(error) => Err(error),
    };
    match summary {
        Ok(summary) => Json(summary).into_response(),
        Err(error) => refuse(&error),
    }
}

/// An empty body scans the whole inbox.
fn parse(body: &[u8]) -> Result<PollRequest, String> {
    if body.trim_ascii().is_empty() {
        return Ok(PollRequest::default());
    }
    serde_json::from_slice(body)
        .map_err(|error| format!("the body is not a PollRequest in proto3 JSON: {error}"))
}

async fn finished(mut events: Events) -> Result<PollFinished, PollError> {
    let mut summary = PollFinished::default();
    while let Some(event) = events.recv().await {
        if let Some(Event::Finished(finished)) = event?.event {
            summary = finished;
        }
    }
    Ok(summary)
}
