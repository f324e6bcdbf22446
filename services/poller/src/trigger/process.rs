//! `POST /process`: one object, for Cloud Tasks and for operators.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};

use super::{
    answer::{again, problem, refuse},
    caller, named,
};
use crate::{outcome::ObjectResult, poller::Poller, request::ObjectRef};

/// The body is JSON with `bucket`, `name` and, unless the live one is meant, `generation`; or a worker's request, which has
/// them under `object`.
///
/// 200: it has its outcome, an `ObjectSettled` as proto3 JSON. 204: it is no work of this poller. 400: the body is not
/// that. 503 with `Retry-After`: try again. 500: an operator has to fix something first, and the body says what.
pub(super) async fn process(
    State(poller): State<Poller>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let trigger = caller::from_headers(&headers, "http");
    let named = match parse(&body) {
        Ok(named) => named,
        Err(why) => {
            let trigger = trigger.kind;
            tracing::warn!(trigger, why, "refused a request that names no object");
            return problem(StatusCode::BAD_REQUEST, &why);
        }
    };
    match poller.process_object(named, trigger).await {
        Ok(ObjectResult::Settled(settled)) => Json(settled).into_response(),
        Ok(ObjectResult::Ignored(_)) => StatusCode::NO_CONTENT.into_response(),
        Ok(ObjectResult::Retry { after, why }) => again(after, &why),
        Err(error) => refuse(&error),
    }
}

fn parse(body: &[u8]) -> Result<ObjectRef, String> {
    let body = named::json(body)?;
    named::from_resource(body.get("object").unwrap_or(&body))
}
