//! Answers in HTTP that a queue understands.

use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::json;

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
    (status, Json(json!({ "error": message }))).into_response()
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
