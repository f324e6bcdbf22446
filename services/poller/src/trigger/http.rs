//! `POST /poll`, for callers that speak no gRPC: Cloud Scheduler, Cloud Tasks, curl.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::post,
};
use brigade_proto::v1::{PollFinished, PollRequest, poll_response::Event};
use serde_json::json;

use crate::{
    error::PollError,
    poll::{Poller, Trigger},
    report::Events,
};

const MAX_REQUEST: usize = 64 * 1024;

/// Seconds after which a caller may try again when the worker or the storage is away.
const TRY_AGAIN: &str = "30";

/// The HTTP routes.
pub(super) fn routes(poller: Poller) -> Router {
    Router::new()
        .route("/poll", post(poll))
        .layer(DefaultBodyLimit::max(MAX_REQUEST))
        .with_state(poller)
}

/// Polls once and answers the summary. 200: `PollFinished` as proto3 JSON. 400: the body is no `PollRequest`. 503:
/// try again. 500: something must be mended first, and the body says what.
async fn poll(State(poller): State<Poller>, body: Bytes) -> Response {
    let request = match parse(&body) {
        Ok(request) => request,
        Err(why) => return problem(StatusCode::BAD_REQUEST, &why),
    };
    let trigger = Trigger {
        kind: "http",
        deadline: None,
    };
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

fn refuse(error: &PollError) -> Response {
    let message = error.to_string();
    match error {
        PollError::Invalid { .. } => problem(StatusCode::BAD_REQUEST, &message),
        error if error.needs_mending() => problem(StatusCode::INTERNAL_SERVER_ERROR, &message),
        _ => {
            let body = problem(StatusCode::SERVICE_UNAVAILABLE, &message);
            ([(RETRY_AFTER, TRY_AGAIN)], body).into_response()
        }
    }
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}
