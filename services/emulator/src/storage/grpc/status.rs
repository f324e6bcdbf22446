//! Refusals as gRPC statuses.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use brigade_model::{Kind, Refusal};

/// The status of a refusal.
pub(crate) fn status(refusal: &Refusal) -> Status {
    let code = code(refusal.kind);
    match refusal.retry_after {
        Some(delay) => {
            let details = ErrorDetails::with_retry_info(Some(delay));
            Status::with_error_details(code, &refusal.message, details)
        }
        None => Status::new(code, &refusal.message),
    }
}

fn code(kind: Kind) -> Code {
    match kind {
        Kind::NoObject | Kind::NoBucket => Code::NotFound,
        Kind::Precondition | Kind::BucketNotEmpty => Code::FailedPrecondition,
        Kind::NotModified | Kind::Aborted => Code::Aborted,
        Kind::Held | Kind::Retained | Kind::PermissionDenied => Code::PermissionDenied,
        Kind::Invalid | Kind::Required => Code::InvalidArgument,
        Kind::BucketExists => Code::AlreadyExists,
        Kind::Range => Code::OutOfRange,
        Kind::Unsupported | Kind::NoRoute => Code::Unimplemented,
        Kind::Unavailable | Kind::BadGateway | Kind::RequestTimeout => Code::Unavailable,
        Kind::TooManyRequests => Code::ResourceExhausted,
        Kind::Internal => Code::Internal,
        Kind::DeadlineExceeded => Code::DeadlineExceeded,
        Kind::Unauthenticated | Kind::BadToken => Code::Unauthenticated,
    }
}
