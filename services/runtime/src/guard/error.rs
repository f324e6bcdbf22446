//! Why a call is not let in, and how it is told.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Why a call is not let in. It names the check, and never holds the token or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No token, or one that is not valid: UNAUTHENTICATED, HTTP 401.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// A valid token of somebody who may not call: PERMISSION_DENIED, HTTP 403.
    #[error("{0}")]
    Denied(&'static str),
    /// The issuer's keys cannot be had, so nobody can be checked: UNAVAILABLE, HTTP 503.
    #[error("the issuer's signing keys cannot be had at the moment")]
    NoKeys,
}

impl Refusal {
    /// The answer in the caller's own protocol: a `grpc-status` without a body, or an HTTP status with a small JSON.
    pub(super) fn response(&self, grpc: bool) -> Response {
        if grpc {
            return self.status().into_http();
        }
        let body = Json(json!({ "error": self.to_string() }));
        let mut response = (self.http(), body).into_response();
        if matches!(self, Self::Unauthenticated(_)) {
            // RFC 6750, section 3.
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }

    fn status(&self) -> tonic::Status {
        match self {
            Self::Unauthenticated(check) => tonic::Status::unauthenticated(*check),
            Self::Denied(check) => tonic::Status::permission_denied(*check),
            Self::NoKeys => tonic::Status::unavailable(self.to_string()),
        }
    }

    fn http(&self) -> StatusCode {
        match self {
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::NoKeys => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
