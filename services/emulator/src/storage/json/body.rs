//! JSON bodies, of answers and of requests.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value};

use brigade_model::{Refusal, Result};

/// A JSON answer.
pub(super) fn json_response(value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    let json = HeaderValue::from_static("application/json; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// 204.
pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A request's JSON body; an empty one is an empty object.
pub(super) fn body_object(body: &[u8]) -> Result<Map<String, Value>> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(body).map_err(|error| {
        Refusal::invalid(format!("Parse Error: the body is not a JSON object: {error}."))
    })
}

/// The refusal of a request whose body did not arrive.
pub(super) fn broke_off(error: &axum::Error) -> Refusal {
    Refusal::invalid(format!("The request's body broke off: {error}."))
}
