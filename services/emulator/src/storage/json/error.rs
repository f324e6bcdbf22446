//! Refusals as Google's JSON errors.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use brigade_model::{Kind, Refusal};

/// The answer to most requests that are refused.
pub(crate) fn response(refusal: &Refusal) -> Response<Body> {
    let status = status(refusal.kind);
    let mut error = json!({
        "message": refusal.message,
        "domain": "global",
        "reason": reason(refusal.kind),
    });
    let location = match refusal.kind {
        Kind::Precondition => Some("If-Match"),
        Kind::Unauthenticated | Kind::BadToken => Some("Authorization"),
        _ => None,
    };
    if let Some(location) = location {
        error["locationType"] = json!("header");
        error["location"] = json!(location);
    }
    if refusal.kind == Kind::TooManyRequests {
        error["domain"] = json!("usageLimits");
    }
    let body =
        json!({"error": {"code": status.as_u16(), "message": refusal.message, "errors": [error]}});
    answer(refusal, status, "application/json; charset=UTF-8", body.to_string())
}

/// The answer to a download that is refused: plain text.
pub(crate) fn text_response(refusal: &Refusal) -> Response<Body> {
    let status = status(refusal.kind);
    answer(refusal, status, "text/html; charset=UTF-8", refusal.message.clone())
}

fn answer(
    refusal: &Refusal,
    status: StatusCode,
    content_type: &'static str,
    body: String,
) -> Response<Body> {
    // A 304 has no body.
    let body = if status == StatusCode::NOT_MODIFIED { Body::empty() } else { Body::from(body) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(challenge) = challenge(refusal.kind) {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Some(delay) = refusal.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(delay.as_secs()));
    }
    response
}

/// What a 401 asks for.
fn challenge(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Unauthenticated => Some(r#"Bearer realm="https://accounts.google.com/""#),
        Kind::BadToken => {
            Some(r#"Bearer realm="https://accounts.google.com/", error="invalid_token""#)
        }
        _ => None,
    }
}

fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::NoObject | Kind::NoBucket | Kind::NoRoute => StatusCode::NOT_FOUND,
        Kind::Precondition => StatusCode::PRECONDITION_FAILED,
        Kind::NotModified => StatusCode::NOT_MODIFIED,
        Kind::Held | Kind::Retained | Kind::PermissionDenied => StatusCode::FORBIDDEN,
        Kind::Invalid | Kind::Required => StatusCode::BAD_REQUEST,
        Kind::BucketExists | Kind::BucketNotEmpty | Kind::Aborted => StatusCode::CONFLICT,
        Kind::Range => StatusCode::RANGE_NOT_SATISFIABLE,
        Kind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::BadGateway => StatusCode::BAD_GATEWAY,
        Kind::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Kind::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Kind::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Kind::Unauthenticated | Kind::BadToken => StatusCode::UNAUTHORIZED,
    }
}

/// The word that goes with it. A hold has the same as a missing permission; only the message tells them apart.
fn reason(kind: Kind) -> &'static str {
    match kind {
        Kind::NoObject | Kind::NoBucket | Kind::NoRoute => "notFound",
        Kind::Precondition => "conditionNotMet",
        Kind::NotModified => "notModified",
        Kind::Held | Kind::PermissionDenied => "forbidden",
        Kind::Retained => "retentionPolicyNotMet",
        Kind::Invalid => "invalid",
        Kind::BucketExists | Kind::BucketNotEmpty | Kind::Aborted => "conflict",
        Kind::Range => "requestedRangeNotSatisfiable",
        Kind::Unsupported => "notImplemented",
        Kind::Unavailable | Kind::BadGateway | Kind::Internal | Kind::DeadlineExceeded => {
            "backendError"
        }
        Kind::RequestTimeout => "uploadBrokenConnection",
        Kind::TooManyRequests => "rateLimitExceeded",
        Kind::Required | Kind::Unauthenticated => "required",
        Kind::BadToken => "authError",
    }
}
