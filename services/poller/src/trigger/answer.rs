//! Answers in HTTP that a queue understands.

use std::time::Duration;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    middleware::Next,
    response::{IntoResponse, Response},
};
use brigade_runtime::telemetry::LineLimit;
use serde_json::json;

use super::caller::cut;
use crate::error::PollError;

/// When a caller may retry after the worker or the storage did not answer.
const AWAY: Duration = Duration::from_secs(30);

/// 400: the request cannot be met. 500: an operator has to fix something first, and the body says what. 503: it is transient.
pub(super) fn refuse(error: &PollError) -> Response {
    let message = error.to_string();
    match error {
        PollError::Invalid { .. } => problem(StatusCode::BAD_REQUEST, &message),
        error if error.needs_fix() => problem(StatusCode::INTERNAL_SERVER_ERROR, &message),
        _ => again(AWAY, &message),
    }
}

/// 503 with `Retry-After`, in whole seconds, at least one.
pub(super) fn again(after: Duration, why: &str) -> Response {
    let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, why);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    response
}

/// A status, and why in the body.
pub(super) fn problem(status: StatusCode, message: &str) -> Response {
    let mut response = (status, Json(json!({ "error": message }))).into_response();
    response.extensions_mut().insert(Why(message.to_owned()));
    response
}

/// Why a request failed, for the log.
#[derive(Clone, Debug)]
pub(super) struct Why(String);

/// Logs each request that fails, or cannot be read: a few a second, for callers decide how many there are.
pub(super) async fn log(State(lines): State<LineLimit>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = next.run(request).await;
    let status = response.status();
    let counts = status.is_server_error()
        || matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE);
    if counts
        && let Some(Why(reason)) = response.extensions().get()
        && lines.allows()
    {
        tracing::warn!(
            http.requestMethod = cut(method.as_str()),
            http.requestUrl = cut(uri.path()),
            http.status = status.as_u16(),
            reason,
            "request failed"
        );
    }
    response
}

/// The same response, of which the log has a line already.
pub(super) fn logged(mut response: Response) -> Response {
    response.extensions_mut().remove::<Why>();
    response
}

#[cfg(test)]
mod tests {
    use brigade_storage::{Error, Kind, Operation};

    use super::*;
    use crate::verdict::Stop;

    #[test]
    fn a_pause_is_rounded_up_to_whole_seconds() {
        for (pause, seconds) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (90_000, "90")] {
            let response = again(Duration::from_millis(pause), "busy");
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers()[RETRY_AFTER], seconds, "{pause} ms");
        }
    }

    #[tokio::test]
    async fn each_error_says_what_happened_and_the_fix_over_grpc_and_http() {
        let storage = |kind| Error::new(kind, Operation::List, "data", "in/", "said so");
        let errors = [
            PollError::Invalid {
                field: "max_objects",
                why: "-1 is negative; 0 means no limit".into(),
            },
            PollError::Stopped(Stop { why: "what was met".into(), hint: "What to do" }),
            PollError::WorkerAway { failures: 5, last: "connection refused".into() },
            PollError::Busy { what: "list", most: 16 },
            storage(Kind::Unknown).into(),
            storage(Kind::NoBucket).into(),
            storage(Kind::PermissionDenied).into(),
        ];
        let mut table = Vec::new();
        for error in errors {
            let response = refuse(&error);
            let status = response.status().as_u16();
            let after = response.headers().get(RETRY_AFTER).cloned();
            let body = axum::body::to_bytes(response.into_body(), 10_000);
            let body = String::from_utf8_lossy(&body.await.unwrap()).into_owned();
            let grpc = tonic::Status::from(error).code();
            table.push(format!("{grpc:?}, HTTP {status}, retry after {after:?}\n    {body}\n"));
        }
        table.push(format!("no summary\n    {}\n", crate::trigger::grpc::UNFINISHED));
        insta::assert_snapshot!(table.concat());
    }
}
