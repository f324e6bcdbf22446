//! Which protocol a request speaks, and responses in it.

use axum::response::{IntoResponse as _, Response};
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode,
    header::{ALLOW, CONTENT_TYPE, RETRY_AFTER},
};
use tonic::Status;

const GRPC: &str = "application/grpc";
const GRPC_ALONE: &str = "this path takes gRPC alone: POST with content-type application/grpc; \
    for HTTP with JSON call another path, see docs/CALLS.md\n";
const NO_GRPC: &str =
    "this path takes no application/grpc; a gRPC method is called at /package.Service/Method\n";

/// Whether a request is gRPC: its content type is `application/grpc`, alone or with a suffix.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|content_type| content_type.as_bytes().split_at_checked(GRPC.len()))
        .is_some_and(|(kind, rest)| {
            kind.eq_ignore_ascii_case(GRPC.as_bytes())
                && matches!(rest.first(), None | Some(b'+' | b';'))
        })
}

/// The response to a request that does not speak the protocol of its path, whether or not there is such a path. gRPC reports errors
/// with HTTP status 200, which Cloud Scheduler, Pub/Sub and Eventarc take for success: they must not get it.
pub(crate) fn mismatch<B>(request: &Request<B>) -> Option<Response> {
    match (is_grpc_path(request.uri().path()), is_grpc(request.headers())) {
        (true, _) if request.method() != Method::POST => {
            let allow = [(ALLOW, "POST")];
            Some((StatusCode::METHOD_NOT_ALLOWED, allow, GRPC_ALONE).into_response())
        }
        (true, false) => Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, GRPC_ALONE).into_response()),
        (false, true) => Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, NO_GRPC).into_response()),
        (true, true) | (false, false) => None,
    }
}

/// Whether a path has the form of a gRPC method's, `/package.Service/Method`. No other route has two such parts.
fn is_grpc_path(path: &str) -> bool {
    let name = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    path.strip_prefix('/').and_then(|path| path.split_once('/')).is_some_and(|(service, method)| {
        name(method) && service.contains('.') && service.split('.').all(name)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &str, path: &str, kind: &str) -> Option<u16> {
        let request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, kind);
        mismatch(&request.body(()).unwrap()).map(|response| response.status().as_u16())
    }

    #[test]
    fn a_path_takes_one_protocol_and_answers_another_one_with_415() {
        const METHOD: &str = "/brigade.v1.PollerService/Poll";
        for kind in ["application/grpc", "application/grpc+proto", "Application/gRPC;x=y"] {
            assert_eq!(status("POST", METHOD, kind), None, "{kind}");
            assert_eq!(status("POST", "/poll", kind), Some(415), "{kind}");
            for method in ["GET", "PUT", "HEAD", "OPTIONS", "DELETE"] {
                assert_eq!(status(method, METHOD, kind), Some(405), "{method}");
            }
        }
        for kind in
            ["", "application/json", "application/grpc-web", "application/grpcx", "text/plain"]
        {
            assert_eq!(status("POST", METHOD, kind), Some(415), "{kind}");
            assert_eq!(status("POST", "/poll", kind), None, "{kind}");
        }
    }

    #[test]
    fn no_path_of_a_page_is_taken_for_a_method() {
        for path in [
            "/",
            "/poll",
            "/inbox/objects",
            "/.well-known/x",
            "/favicon.ico",
            "/a.b/c/d",
            "/a..b/c",
            "/a.b/",
        ] {
            assert_eq!(status("GET", path, "text/plain"), None, "{path}");
        }
    }
}
