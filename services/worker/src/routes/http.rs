//! `POST /process`, for callers without gRPC: the same request and responses, in proto3 JSON.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderValue, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::post,
};
use brigade_proto::{MAX_MESSAGE, v1::ProcessRequest};
use serde_json::{Map, Value};

use crate::{
    error::{DEFAULT_RETRY_AFTER, ErrorKind, ProcessError, Violation},
    processor::Processor,
    runner::Runner,
    status,
};

pub(crate) fn routes<P: Processor>(runner: Arc<Runner<P>>) -> Router {
    Router::new()
        .route("/process", post(process::<P>))
        .layer(DefaultBodyLimit::max(MAX_MESSAGE))
        .with_state(runner)
}

/// 200: `ProcessResponse` in proto3 JSON. Else [`ErrorKind::http_status`], with `Retry-After` when the time of the next try is known.
async fn process<P: Processor>(State(runner): State<Arc<Runner<P>>>, body: Bytes) -> Response {
    let answer = match parse(&body) {
        Ok(request) => runner.run(request, None).await,
        Err(error) => Err(error.into()),
    };
    match answer {
        Ok(response) => Json(response).into_response(),
        Err(error) => refuse(&error),
    }
}

/// A `ProcessRequest` in proto3 JSON. Like an HTTP worker's request it may name its object at the top instead.
fn parse(body: &[u8]) -> Result<ProcessRequest, ProcessError> {
    let request = serde_json::from_slice(body).and_then(|mut body: Value| {
        if let Some(request) = body.as_object_mut() {
            let fields = ["bucket", "name", "generation"]
                .into_iter()
                .filter_map(|field| Some((field.to_owned(), request.remove(field)?)));
            let named: Map<_, _> = fields.collect();
            if !named.is_empty() {
                request.entry("object").or_insert(Value::Object(named));
            }
        }
        serde_json::from_value(body)
    });
    request.map_err(|error| {
        ProcessError::malformed(vec![Violation {
            field: "the body".to_owned(),
            description: format!("is not a ProcessRequest in proto3 JSON: {error}"),
        }])
    })
}

fn refuse(error: &ProcessError) -> Response {
    let kind = error.kind();
    let mut body = Map::from_iter([
        ("error".to_owned(), error.message().into()),
        ("reason".to_owned(), kind.reason().into()),
    ]);
    body.extend(status::entries(error).map(|(name, value)| (name.to_owned(), value.into())));
    let mut response = (kind.http_status(), Json(body)).into_response();
    // A worker that is full, and storage that names no pause, leave the time to the caller.
    let default = matches!(kind, ErrorKind::Unavailable | ErrorKind::Superseded)
        .then_some(DEFAULT_RETRY_AFTER);
    if let Some(delay) = error.delay().or(default) {
        let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
