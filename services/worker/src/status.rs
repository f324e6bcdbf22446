//! An error on the wire: a gRPC status with `google.rpc` details, or an HTTP status.

use std::collections::HashMap;

use axum::http::StatusCode;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{
    error::{ErrorKind, ProcessError},
    text::cut,
};

/// The `google.rpc.ErrorInfo` domain of this project's reasons.
pub const DOMAIN: &str = "brigade.v1";

/// Message and details travel in HTTP trailers, the former percent-encoded and both again inside of the latter; a client
/// takes 16 KiB of them at most.
const MAX_MESSAGE: usize = 1_536;
const MAX_VIOLATIONS: usize = 8;
const MAX_FIELD: usize = 128;

// === impl ErrorKind ===

impl ErrorKind {
    /// The gRPC status code.
    pub fn code(self) -> Code {
        self.on_the_wire().0
    }

    /// The HTTP status of `POST /process`: 500 for an object that cannot be processed, whatever the reason; 503, 429
    /// and 408 for one to retry; 403 when the worker is misconfigured; 400 for a body that is not a request.
    pub fn http_status(self) -> StatusCode {
        self.on_the_wire().1
    }

    /// The reason in `google.rpc.ErrorInfo`.
    pub fn reason(self) -> &'static str {
        self.on_the_wire().2
    }

    fn on_the_wire(self) -> (Code, StatusCode, &'static str) {
        const FAILED: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
        const LATER: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
        const FULL: StatusCode = StatusCode::TOO_MANY_REQUESTS;
        // 504 would look like a front end's.
        const LATE: StatusCode = StatusCode::REQUEST_TIMEOUT;
        const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        match self {
            Self::Refused => (Code::InvalidArgument, FAILED, "OBJECT_REFUSED"),
            Self::FailedPrecondition => (Code::FailedPrecondition, FAILED, "PRECONDITION_FAILED"),
            Self::Internal => (Code::Internal, FAILED, "PROCESSOR_FAILED"),
            Self::Unavailable => (Code::Unavailable, LATER, "TRY_AGAIN"),
            Self::StorageUnavailable => (Code::Unavailable, LATER, "STORAGE_UNAVAILABLE"),
            Self::Busy => (Code::ResourceExhausted, FULL, "WORKER_BUSY"),
            Self::Superseded => (Code::Aborted, LATER, "OBJECT_SUPERSEDED"),
            Self::DeadlineExceeded => (Code::DeadlineExceeded, LATE, "DEADLINE_EXCEEDED"),
            Self::Misconfigured => (Code::PermissionDenied, FORBIDDEN, "WORKER_MISCONFIGURED"),
            Self::Malformed => (Code::InvalidArgument, BAD, "REQUEST_MALFORMED"),
        }
    }
}

/// The kind of failure and the end of a program, where there are some, by name.
pub(crate) fn entries(error: &ProcessError) -> impl Iterator<Item = (&'static str, &str)> {
    let details = error.details();
    [("kind", &details.kind), ("exit", &details.exit)]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, cut(value, MAX_FIELD)))
}

impl From<&ProcessError> for Status {
    fn from(error: &ProcessError) -> Self {
        let mut details = ErrorDetails::new();
        let entries = entries(error).map(|(name, value)| (name.to_owned(), value.to_owned()));
        details.set_error_info(error.kind().reason(), DOMAIN, entries.collect::<HashMap<_, _>>());
        if let Some(delay) = error.delay() {
            details.set_retry_info(Some(delay));
        }
        for violation in error.violations().iter().take(MAX_VIOLATIONS) {
            details.add_bad_request_violation(
                cut(&violation.field, MAX_FIELD),
                cut(&violation.description, MAX_FIELD),
            );
        }
        let message = cut(error.message(), MAX_MESSAGE);
        Self::with_error_details(error.kind().code(), message, details)
    }
}

impl From<ProcessError> for Status {
    fn from(error: ProcessError) -> Self {
        Self::from(&error)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ALL: [ErrorKind; 10] = [
        ErrorKind::Refused,
        ErrorKind::FailedPrecondition,
        ErrorKind::Internal,
        ErrorKind::Unavailable,
        ErrorKind::StorageUnavailable,
        ErrorKind::Busy,
        ErrorKind::Superseded,
        ErrorKind::DeadlineExceeded,
        ErrorKind::Misconfigured,
        ErrorKind::Malformed,
    ];

    #[test]
    fn every_kind_means_the_same_over_grpc_and_over_http() {
        for kind in ALL {
            let expected: &[u16] = match kind.code() {
                Code::InvalidArgument => &[500, 400],
                Code::FailedPrecondition | Code::Internal => &[500],
                Code::Unavailable | Code::Aborted => &[503],
                Code::ResourceExhausted => &[429],
                Code::DeadlineExceeded => &[408],
                Code::PermissionDenied => &[403],
                other => panic!("{other:?} is no answer of a worker"),
            };
            assert!(expected.contains(&kind.http_status().as_u16()), "{kind:?}");
        }
    }

    #[test]
    fn the_delay_and_the_violations_travel_as_details() {
        let error = ProcessError::retry_after(Duration::from_secs(9), "the model is loading")
            .with_violation("line 2", "too early");
        let status = Status::from(error);
        assert_eq!(status.code(), Code::Unavailable);
        let details = status.get_error_details();
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_secs(9)));
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "line 2");
        assert_eq!(details.error_info().unwrap().reason, "TRY_AGAIN");
    }

    #[test]
    fn the_largest_error_fits_into_trailers() {
        let huge = "é".repeat(100_000);
        let mut error = ProcessError::refuse(huge.clone());
        for _ in 0..1_000 {
            error = error.with_violation(huge.clone(), huge.clone());
        }
        let status = Status::from(error.with_kind(huge.clone()).with_exit(huge));
        let mut headers = axum::http::HeaderMap::new();
        status.add_header(&mut headers).unwrap();
        let size: usize =
            headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        assert!(size < 16 * 1024, "{size}");
    }
}
