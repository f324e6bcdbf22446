//! Checks a request before anything is done for it.

use brigade_proto::v1::{Object, ProcessRequest};
use brigade_storage::Location;

use crate::error::{ProcessError, Violation};

/// A request whose fields are all valid.
#[derive(Debug)]
pub(crate) struct ValidRequest {
    pub(crate) object: Object,
    pub(crate) attempt: u32,
    pub(crate) key: String,
    /// The inbox that the object is in; nothing when a caller named the object directly.
    pub(crate) inbox: Option<Location>,
}

/// Checks all of a request, and names every invalid field.
///
/// A missing attempt is the first one, and a missing key is the object's own.
pub(crate) fn validate(request: ProcessRequest) -> Result<ValidRequest, ProcessError> {
    let mut violations = match &request.object {
        Some(object) => check_object(object),
        None => vec![violation("object", "is missing")],
    };
    let object = request.object.unwrap_or_default();
    if request.attempt < 0 {
        violations.push(violation("attempt", "is negative"));
    }
    let key = object.idempotency_key();
    if violations.is_empty() && !["", &key].contains(&request.idempotency_key.as_str()) {
        let why = "is not that of the object; expected bucket/name#generation";
        violations.push(violation("idempotency_key", why));
    }
    let inbox = match request.inbox.as_str() {
        "" => None,
        given => match given.parse::<Location>() {
            Ok(inbox) if inbox.holds(&object.bucket, &object.name) => Some(inbox),
            Ok(_) => {
                violations.push(violation("inbox", "does not hold the object"));
                None
            }
            Err(error) => {
                violations.push(violation("inbox", &format!("is no location: {error}")));
                None
            }
        },
    };
    if !violations.is_empty() {
        return Err(ProcessError::malformed(violations));
    }
    Ok(ValidRequest { object, attempt: request.attempt.max(1).unsigned_abs(), key, inbox })
}

fn check_object(object: &Object) -> Vec<Violation> {
    let no_md5 = !matches!(object.md5_hash.len(), 0 | 16);
    let checks = [
        (object.bucket.is_empty(), "bucket", "is empty"),
        (object.name.is_empty(), "name", "is empty"),
        (object.generation <= 0, "generation", "is not positive"),
        (object.size < 0, "size", "is negative"),
        (no_md5, "md5_hash", "does not have 16 bytes"),
    ];
    let wrong = checks.iter().filter(|(is_wrong, ..)| *is_wrong);
    wrong.map(|(_, field, what)| violation(&format!("object.{field}"), what)).collect()
}

fn violation(field: &str, description: &str) -> Violation {
    Violation { field: field.to_owned(), description: description.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> ProcessRequest {
        ProcessRequest {
            object: Some(Object {
                bucket: "data".into(),
                name: "in/a".into(),
                generation: 7,
                ..Object::default()
            }),
            ..ProcessRequest::default()
        }
    }

    fn fields(request: ProcessRequest) -> Vec<String> {
        let error = validate(request).unwrap_err();
        let fields = error.violations().iter().map(|violations| violations.field.clone());
        fields.collect()
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let valid = validate(request()).unwrap();
        assert_eq!((valid.attempt, valid.key.as_str()), (1, "data/in/a#7"));
    }

    #[test]
    fn every_wrong_field_is_named() {
        assert_eq!(fields(ProcessRequest::default()), ["object"]);
        let nothing = ProcessRequest {
            object: Some(Object { size: -1, md5_hash: vec![1], ..Object::default() }),
            attempt: -1,
            ..ProcessRequest::default()
        };
        assert_eq!(
            fields(nothing),
            [
                "object.bucket",
                "object.name",
                "object.generation",
                "object.size",
                "object.md5_hash",
                "attempt"
            ]
        );
    }
}
