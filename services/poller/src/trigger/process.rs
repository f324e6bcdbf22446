//! `POST /process`: one object, for Cloud Tasks and for operators.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};

use brigade_proto::v1::Filter;

use super::{
    answer::{again, problem, refuse},
    caller, named,
};
use crate::{
    outcome::{Ignored, ObjectResult},
    poller::Poller,
    request::{ON_THE_WAY, ObjectRef},
    tasks::MAX_DEADLINE,
};

/// The body is JSON with `bucket`, `name` and, unless the live one is meant, `generation`; or a worker's request, which has
/// them under `object`.
///
/// 200: it has its outcome, an `ObjectSettled` as proto3 JSON. 204: it is no work of this poller. 400: the body is not
/// that. 423: it is held. A task that ended now would use up its name for hours, so its queue keeps it. 503 with
/// `Retry-After`: try again. 500: an operator has to fix something first, and the body says what.
pub(super) async fn process(
    State(poller): State<Poller>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut trigger = caller::from_headers(&headers, "http");
    trigger.deadline = Some(MAX_DEADLINE.saturating_sub(ON_THE_WAY));
    let named = match parse(&body) {
        Ok(named) => named,
        Err(why) => return problem(StatusCode::BAD_REQUEST, &why),
    };
    match poller.process_object(named, trigger).await {
        Ok(ObjectResult::Settled(settled)) => Json(settled).into_response(),
        Ok(ObjectResult::Ignored(Ignored::Filtered(skip))) if skip.filter == Filter::Held => {
            problem(StatusCode::LOCKED, &format!("the object is held: {}", skip.detail))
        }
        Ok(ObjectResult::Ignored(_)) => StatusCode::NO_CONTENT.into_response(),
        Ok(ObjectResult::Retry { after, why }) => again(after, &why),
        Err(error) => refuse(&error),
    }
}

fn parse(body: &[u8]) -> Result<ObjectRef, String> {
    let body = named::json(body)?;
    named::from_resource(body.get("object").unwrap_or(&body))
}
