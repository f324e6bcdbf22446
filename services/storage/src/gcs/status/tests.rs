use google_cloud_gax::error::CredentialsError;
use google_cloud_storage::http::HeaderMap;

use super::*;

const HELD: &str = "Object 'b/n' is under active Temporary hold and cannot be deleted, overwritten or archived \
                    until hold is removed.";
const RETAINED: &str = "Object 'b/n' is subject to bucket's retention policy or object retention and cannot be \
                        deleted or overwritten until 2026-09-30T15:58:01.185839-07:00";
const DENIED: &str = "sa@p.iam.gserviceaccount.com does not have storage.objects.delete access to the Google Cloud \
                      Storage object. Permission 'storage.objects.delete' denied on resource (or it may not exist).";

fn grpc(code: Code, message: &str) -> ClientError {
    ClientError::service(Status::default().set_code(code).set_message(message))
}

/// An answer of the JSON API, through the same parser as the client's.
fn json(code: u16, message: &str, reason: &str) -> ClientError {
    let body = format!(
        r#"{{"error":{{"code":{code},"message":"{message}","errors":[{{"message":"{message}","domain":"global","reason":"{reason}"}}]}}}}"#
    );
    let status = Status::try_from(&bytes::Bytes::from(body)).unwrap();
    ClientError::service_with_http_metadata(status, Some(code), Some(HeaderMap::new()))
}

fn page(code: u16, headers: &[(&'static str, &str)]) -> ClientError {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    ClientError::http(code, headers, "<html>".into())
}

fn deletion(error: &ClientError) -> Kind {
    kind(Operation::Delete, error)
}

#[test]
fn grpc_codes_that_answer_the_question() {
    let busy = Kind::Busy { retry_after: None };
    for (code, want) in [
        (Code::NotFound, Kind::NotFound),
        (Code::AlreadyExists, Kind::Precondition),
        (Code::FailedPrecondition, Kind::Precondition),
        (Code::PermissionDenied, Kind::PermissionDenied),
        (Code::Unauthenticated, Kind::Unauthenticated),
        (Code::ResourceExhausted, busy),
        (Code::InvalidArgument, Kind::Invalid),
        (Code::OutOfRange, Kind::Invalid),
        (Code::Unimplemented, Kind::Invalid),
    ] {
        assert_eq!(deletion(&grpc(code, "message")), want, "{code}");
    }
}

#[test]
fn grpc_codes_that_leave_it_open() {
    for code in [
        Code::Ok,
        Code::Cancelled,
        Code::Unknown,
        Code::DeadlineExceeded,
        Code::Aborted,
        Code::Internal,
        Code::Unavailable,
        Code::DataLoss,
    ] {
        assert_eq!(deletion(&grpc(code, "message")), Kind::Unknown, "{code}");
    }
}

#[test]
fn http_statuses_that_answer_the_question() {
    let busy = Kind::Busy { retry_after: None };
    for (code, want) in [
        (302, Kind::Invalid),
        (400, Kind::Invalid),
        (401, Kind::Unauthenticated),
        (403, Kind::PermissionDenied),
        (404, Kind::NotFound),
        (411, Kind::Invalid),
        (412, Kind::Precondition),
        (416, Kind::Invalid),
        (429, busy),
    ] {
        assert_eq!(deletion(&json(code, "message", "reason")), want, "{code}");
        assert_eq!(deletion(&page(code, &[])), want, "{code} without a body");
    }
}

#[test]
fn http_statuses_that_leave_it_open() {
    for code in [408, 409, 410, 499, 500, 502, 503, 504, 599] {
        assert_eq!(deletion(&json(code, "message", "reason")), Kind::Unknown, "{code}");
        assert_eq!(deletion(&page(code, &[])), Kind::Unknown, "{code} without a body");
    }
}

#[test]
fn what_was_certainly_not_sent_is_busy() {
    let busy = Kind::Busy { retry_after: None };
    assert_eq!(deletion(&ClientError::connect("refused")), busy);
    let token = CredentialsError::from_msg(true, "metadata server is restarting");
    assert_eq!(deletion(&ClientError::authentication(token)), busy);
}

#[test]
fn credentials_that_will_not_heal_are_unauthenticated() {
    let token = CredentialsError::from_msg(false, "no such account");
    let error = ClientError::authentication(token);
    assert_eq!(deletion(&error), Kind::Unauthenticated);
}

#[test]
fn a_connection_that_broke_or_an_answer_that_cannot_be_read_leaves_it_open() {
    for error in [
        ClientError::io("reset"),
        ClientError::timeout("slow"),
        ClientError::deser("not an object"),
        ClientError::transport(HeaderMap::new(), "a page instead of gRPC"),
    ] {
        assert_eq!(deletion(&error), Kind::Unknown, "{error}");
    }
}

#[test]
fn a_request_that_cannot_be_built_is_invalid() {
    for error in [ClientError::binding("bucket"), ClientError::ser("header")] {
        assert_eq!(deletion(&error), Kind::Invalid, "{error}");
    }
}

#[test]
fn a_hold_is_told_from_a_missing_permission_by_its_message() {
    let event = HELD.replace("Temporary", "Event-Based");
    for message in [HELD, event.as_str(), RETAINED] {
        assert_eq!(deletion(&json(403, message, "forbidden")), Kind::Held);
        assert_eq!(deletion(&grpc(Code::PermissionDenied, message)), Kind::Held);
        assert_eq!(deletion(&grpc(Code::FailedPrecondition, message)), Kind::Held);
    }
    assert_eq!(deletion(&json(403, DENIED, "forbidden")), Kind::PermissionDenied);
}

#[test]
fn a_hold_is_known_by_its_reason_too() {
    for reason in ["retentionPolicyNotMet", "objectUnderActiveHold", "OBJECT_UNDER_ACTIVE_HOLD"] {
        assert_eq!(deletion(&json(403, "message", reason)), Kind::Held, "{reason}");
    }
    let locked = "Bucket 'b' has a locked Retention Policy which cannot be removed.";
    let error = json(403, locked, "retentionPolicyNotMet");
    assert_eq!(deletion(&error), Kind::PermissionDenied);
}

#[test]
fn a_missing_bucket_is_told_from_a_missing_object() {
    let bucket = "The specified bucket does not exist.";
    assert_eq!(deletion(&json(404, bucket, "notFound")), Kind::NoBucket);
    assert_eq!(deletion(&grpc(Code::NotFound, bucket)), Kind::NoBucket);
    assert_eq!(deletion(&grpc(Code::NotFound, "No such object: b/n")), Kind::NotFound);
}

#[test]
fn an_objects_name_cannot_pose_as_a_missing_bucket_or_a_hold() {
    let name = "No such object: b/The specified bucket does not exist.";
    assert_eq!(deletion(&grpc(Code::NotFound, name)), Kind::NotFound);
    let name = format!("someone does not have access to b/{HELD}");
    assert_eq!(deletion(&json(403, &name, "forbidden")), Kind::PermissionDenied);
}

#[test]
fn listing_and_creating_can_only_miss_the_bucket() {
    for operation in [Operation::List, Operation::Create] {
        assert_eq!(kind(operation, &grpc(Code::NotFound, "Not Found")), Kind::NoBucket);
    }
}

#[test]
fn a_requester_pays_bucket_needs_a_fix() {
    for message in [
        "Bucket is a requester pays bucket but no user project provided.",
        "Bucket is requester pays bucket but no user project provided.",
    ] {
        assert_eq!(deletion(&json(400, message, "required")), Kind::PermissionDenied);
        assert_eq!(deletion(&grpc(Code::InvalidArgument, message)), Kind::PermissionDenied);
    }
}

#[test]
fn a_read_without_the_customers_key_is_told_from_an_invalid_request() {
    let message = "The target object is encrypted by a customer-supplied encryption key.";
    let reason = "resourceIsEncryptedWithCustomerEncryptionKey";
    let bare = ClientError::http(400, HeaderMap::new(), message.into());
    let answers = [
        json(400, message, "invalid"),
        json(400, "message", reason),
        bare,
        grpc(Code::InvalidArgument, message),
    ];
    for error in answers {
        assert_eq!(kind(Operation::Read, &error), Kind::Encrypted, "{error}");
        assert_eq!(deletion(&error), Kind::Invalid, "{error}");
    }
    let named = json(400, &format!("b/{message}"), "invalid");
    assert_eq!(kind(Operation::Read, &named), Kind::Invalid);
}

#[test]
fn the_services_retry_after_is_read() {
    let want = Kind::Busy { retry_after: Some(Duration::from_secs(7)) };
    assert_eq!(deletion(&page(429, &[("retry-after", "7")])), want);
    let date = page(429, &[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")]);
    assert_eq!(deletion(&date), Kind::Busy { retry_after: None });
}

#[test]
fn the_services_message_is_cut_to_length() {
    let long = detail(&grpc(Code::Internal, &"x".repeat(100_000)));
    assert_eq!(long.len(), DETAIL_MAX);
}
