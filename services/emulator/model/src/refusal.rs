//! Why a call is refused, with the real service's message; gRPC and JSON encode it elsewhere.

use std::{fmt, time::Duration};

/// The result of a call.
pub type Result<T, E = Refusal> = std::result::Result<T, E>;

/// A call that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub kind: Kind,
    /// The message.
    pub message: String,
    /// How long the caller is asked to wait.
    pub retry_after: Option<Duration>,
}

/// Why a call is refused. Each has one HTTP status and one gRPC code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// No such object, or not that generation of it: 404, `NOT_FOUND`.
    NoObject,
    /// No such bucket: 404, `NOT_FOUND`.
    NoBucket,
    /// A condition did not hold: 412, `FAILED_PRECONDITION`.
    Precondition,
    /// A read or a deletion whose not-match condition did not hold: 304, `ABORTED`.
    NotModified,
    /// A hold keeps the object: 403, `PERMISSION_DENIED`.
    Held,
    /// A retention policy keeps the object: 403, `PERMISSION_DENIED`.
    Retained,
    /// The request is wrong: 400, `INVALID_ARGUMENT`.
    Invalid,
    /// The request lacks what it needs: 400, `INVALID_ARGUMENT`.
    Required,
    /// There is such a bucket already: 409, `ALREADY_EXISTS`.
    BucketExists,
    /// A bucket with objects is not deleted: 409, `FAILED_PRECONDITION`.
    BucketNotEmpty,
    /// The range begins behind the end: 416, `OUT_OF_RANGE`.
    Range,
    /// The real service has this, the emulator does not: 501, `UNIMPLEMENTED`.
    Unsupported,
    /// No such route: 404, `UNIMPLEMENTED`.
    NoRoute,
    /// 503, `UNAVAILABLE`.
    Unavailable,
    /// 502, `UNAVAILABLE`.
    BadGateway,
    /// 408, `UNAVAILABLE`.
    RequestTimeout,
    /// 429, `RESOURCE_EXHAUSTED`.
    TooManyRequests,
    /// 500, `INTERNAL`.
    Internal,
    /// 504, `DEADLINE_EXCEEDED`.
    DeadlineExceeded,
    /// 409, `ABORTED`.
    Aborted,
    /// There is no token: 401, `UNAUTHENTICATED`.
    Unauthenticated,
    /// The token is not one that was given out: 401, `UNAUTHENTICATED`.
    BadToken,
    /// 403, `PERMISSION_DENIED`.
    PermissionDenied,
}

impl Refusal {
    /// A refusal of this kind, with this message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }

    /// A refusal of a wrong request.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// A refusal of a request without this.
    pub fn required(what: &str) -> Self {
        Self::new(Kind::Required, format!("Required parameter: {what}"))
    }

    /// A refusal of what the emulator lacks.
    pub fn unsupported(what: &str) -> Self {
        Self::new(
            Kind::Unsupported,
            format!("{what} is not supported by the local emulator of Cloud Storage"),
        )
    }

    /// There is no such bucket.
    pub fn no_bucket() -> Self {
        Self::new(Kind::NoBucket, "The specified bucket does not exist.")
    }

    /// There is no such object, or not that generation of it.
    pub fn no_object(bucket: &str, name: &str) -> Self {
        Self::new(Kind::NoObject, format!("No such object: {bucket}/{name}"))
    }

    /// A condition did not hold.
    pub fn precondition() -> Self {
        Self::new(
            Kind::Precondition,
            "At least one of the pre-conditions you specified did not hold.",
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
