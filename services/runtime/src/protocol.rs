//! Which protocol a request speaks, and responses in it.

use axum::response::{IntoResponse as _, Response};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use tonic::Status;

/// Whether a request is gRPC: its content type is `application/grpc`, alone or with a suffix.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|content_type| content_type.as_bytes().strip_prefix(b"application/grpc"))
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// An error of the server itself, in the caller's own protocol. Over HTTP a service that is unavailable asks for another try.
pub(crate) fn error_response(grpc: bool, status: Status, http: StatusCode) -> Response {
    if grpc {
        return status.into_http();
    }
    let mut response = (http, format!("{}\n", status.message())).into_response();
    if http == StatusCode::SERVICE_UNAVAILABLE {
        let second = HeaderValue::from_static("1");
        response.headers_mut().insert(RETRY_AFTER, second);
    }
    response
}
