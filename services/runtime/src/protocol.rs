//! Which protocol a request speaks.

use http::{HeaderMap, header::CONTENT_TYPE};

/// Whether a request is gRPC: its content type is `application/grpc`, alone or with a suffix.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|content_type| content_type.as_bytes().strip_prefix(b"application/grpc"))
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}
