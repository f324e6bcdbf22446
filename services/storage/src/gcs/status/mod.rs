//! What the client's errors mean.
//!
//! The question behind each line is whether the call was applied. Only an answer that Cloud Storage itself gave, and
//! that refuses it, closes it; everything else is [`Kind::Unknown`], and the caller has to look.
//!
//! Some of the client's questions asked here (`is_connect`, `is_authentication`, …) are public but not documented; the
//! tests beside this file and those of the wire hold what they mean.
//!
//! The wording of a hold is that of public reports (GoogleCloudPlatform/gsutil#1175, googleapis/google-cloud-go#1631). That it
//! has the reason `forbidden`, as a missing permission has, so that only the message tells them apart, was reported by others.
//! So was that a condition is checked before a hold. `brigade contract` checks both on a real bucket; docs/VERIFIED.md has the rest.

use std::time::Duration;

use google_cloud_gax::error::{
    Error as ClientError,
    rpc::{Code, Status, StatusDetails},
};

use crate::error::{Kind, Operation};

/// The longest detail that an error carries, in characters; a proxy's page can be any length.
const DETAIL_MAX: usize = 512;

/// Why the call failed.
pub(super) fn kind(operation: Operation, error: &ClientError) -> Kind {
    if error.is_transient_and_before_rpc() {
        // Neither a connection nor a token: nothing was sent.
        Kind::Busy { retry_after: None }
    } else if error.is_authentication() {
        Kind::Unauthenticated
    } else if error.is_binding() || error.is_serialization() {
        Kind::Invalid
    } else if let Some(code) = error.http_status_code() {
        kind_from_http(operation, code, error)
    } else if operation == Operation::Read && is_encrypted(error) {
        Kind::Encrypted
    } else if let Some(status) = error.status() {
        kind_from_grpc(operation, status)
    } else {
        Kind::Unknown
    }
}

/// By the HTTP status of the JSON API.
fn kind_from_http(operation: Operation, code: u16, error: &ClientError) -> Kind {
    let message = message(error);
    match code {
        401 => Kind::Unauthenticated,
        403 => refused(error.status(), message),
        404 => missing(operation, message),
        412 => Kind::Precondition,
        429 => Kind::Busy { retry_after: retry_after(error) },
        400 if operation == Operation::Read && is_encrypted(error) => Kind::Encrypted,
        400 => invalid(message),
        // A request that came too slowly and one that collided with another may both have been applied.
        // So may the earlier requests of an upload session that is gone.
        408..=410 | 499 => Kind::Unknown,
        300..=399 | 402..=499 => Kind::Invalid,
        _ => Kind::Unknown,
    }
}

/// By the status of the gRPC API. What is not named here leaves it open: `ABORTED`, `CANCELLED`, `DATA_LOSS`,
/// `DEADLINE_EXCEEDED`, `INTERNAL`, `UNAVAILABLE`, `UNKNOWN`, and any code that the client may learn of.
fn kind_from_grpc(operation: Operation, status: &Status) -> Kind {
    match status.code {
        Code::NotFound => missing(operation, &status.message),
        Code::FailedPrecondition if is_held(Some(status), &status.message) => Kind::Held,
        Code::FailedPrecondition | Code::AlreadyExists => Kind::Precondition,
        Code::PermissionDenied => refused(Some(status), &status.message),
        Code::Unauthenticated => Kind::Unauthenticated,
        Code::ResourceExhausted => Kind::Busy { retry_after: retry_info(status) },
        Code::InvalidArgument => invalid(&status.message),
        Code::OutOfRange | Code::Unimplemented => Kind::Invalid,
        _ => Kind::Unknown,
    }
}

/// Which of the two is not there. Uploaders choose names, so only the beginning of a message counts.
fn missing(operation: Operation, message: &str) -> Kind {
    let bucket = ["The specified bucket", "The specified destination bucket", "No such bucket"]
        .iter()
        .any(|begin| message.starts_with(begin));
    if bucket || matches!(operation, Operation::List | Operation::Create) {
        Kind::NoBucket
    } else {
        Kind::NotFound
    }
}

/// A hold, a retention policy, or a missing permission.
fn refused(status: Option<&Status>, message: &str) -> Kind {
    if is_held(status, message) { Kind::Held } else { Kind::PermissionDenied }
}

fn is_held(status: Option<&Status>, message: &str) -> bool {
    let about_an_object = message.starts_with("Object '")
        && (message.contains("' is under active ")
            || message.contains("' is subject to bucket's retention policy"));
    // A locked policy of the bucket itself has the same reason, and holds no object.
    let by_reason = !message.starts_with("Bucket ")
        && reasons(status).any(|reason| {
            let reason = reason.replace('_', "").to_ascii_lowercase();
            matches!(reason.as_str(), "retentionpolicynotmet" | "objectunderactivehold")
        });
    about_an_object || by_reason
}

/// A read without the key that the object was written with. The answer to a download may be the bare message.
fn is_encrypted(error: &ClientError) -> bool {
    let begins = |text: &str| {
        ["The target object is encrypted by", "The resource is encrypted with"].iter().any(
            |begin| {
                let rest = text.strip_prefix(begin);
                rest.is_some_and(|rest| rest.starts_with(" a customer-supplied encryption key"))
            },
        )
    };
    let payload = error.http_payload().and_then(|payload| std::str::from_utf8(payload).ok());
    begins(message(error))
        || payload.is_some_and(begins)
        || reasons(error.status())
            .any(|reason| reason == "resourceIsEncryptedWithCustomerEncryptionKey")
}

/// A request that names no project to bill is refused as invalid, but it is the caller's identity that needs a fix.
fn invalid(message: &str) -> Kind {
    let requester_pays = ["Bucket is a requester pays bucket", "Bucket is requester pays bucket"];
    if requester_pays.iter().any(|begin| message.starts_with(begin)) {
        Kind::PermissionDenied
    } else {
        Kind::Invalid
    }
}

fn reasons(status: Option<&Status>) -> impl Iterator<Item = &str> {
    status.into_iter().flat_map(|status| &status.details).filter_map(|detail| match detail {
        StatusDetails::ErrorInfo(info) => Some(info.reason.as_str()),
        _ => None,
    })
}

/// The header's seconds; its other form, a date, is left to the caller's own backoff.
fn retry_after(error: &ClientError) -> Option<Duration> {
    let header = error.http_headers()?.get("retry-after")?;
    header.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

fn retry_info(status: &Status) -> Option<Duration> {
    status.details.iter().find_map(|detail| match detail {
        StatusDetails::RetryInfo(info) => {
            let delay = info.retry_delay?;
            let seconds = u64::try_from(delay.seconds()).ok()?;
            let nanos = u32::try_from(delay.nanos()).ok()?;
            Some(Duration::new(seconds, nanos))
        }
        _ => None,
    })
}

fn message(error: &ClientError) -> &str {
    error.status().map_or("", |status| status.message.as_str())
}

/// The message that the service returned, or the client's when it returned none.
pub(super) fn detail(error: &ClientError) -> String {
    let text = match message(error) {
        "" => error.to_string(),
        message => message.to_owned(),
    };
    text.chars().take(DETAIL_MAX).collect()
}

#[cfg(test)]
mod tests;
