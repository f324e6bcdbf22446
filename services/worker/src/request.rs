//! Checks a request before anything is done for it.

use brigade_proto::v1::{Object, ProcessRequest};

use crate::error::{ProcessError, Violation};

/// A request whose fields are all valid.
#[derive(Debug)]
pub(crate) struct ValidRequest {
    pub(crate) object: Object,
    pub(crate) attempt: u32,
    pub(crate) key: String,
}

/// Checks all of a request, and names every invalid field.
///
/// A missing attempt is the first one, and a missing key is the object's own.
pub(crate) fn validate(request: ProcessRequest) -> Result<ValidRequest, ProcessError> {
    let mut violations = Violations::default();
    let object = request.object.unwrap_or_else(|| {
        violations.add("object", "is missing");
        Object::default()
    });
    if violations.0.is_empty() {
        check_object(&object, &mut violations);
    }
    if request.attempt < 0 {
        violations.add("attempt", "is negative");
    }
    let key = object.idempotency_key();
    if violations.0.is_empty() && !["", &key].contains(&request.idempotency_key.as_str()) {
        violations.add(
            "idempotency_key",
            "is not that of the object; expected bucket/name#generation",
        );
    }
    violations.into_result()?;
    Ok(ValidRequest {
        object,
        attempt: request.attempt.max(1).unsigned_abs(),
        key,
    })
}

fn check_object(object: &Object, violations: &mut Violations) {
    for (field, value) in [
        ("object.bucket", &object.bucket),
        ("object.name", &object.name),
    ] {
        if value.is_empty() {
            violations.add(field, "is empty");
        }
    }
    if object.generation <= 0 {
        violations.add("object.generation", "is not positive");
    }
    if object.size < 0 {
        violations.add("object.size", "is negative");
    }
    if !matches!(object.md5_hash.len(), 0 | 16) {
        violations.add("object.md5_hash", "does not have 16 bytes");
    }
}

#[derive(Default)]
struct Violations(Vec<Violation>);

impl Violations {
    fn add(&mut self, field: &str, description: &str) {
        self.0.push(Violation {
            field: field.to_owned(),
            description: description.to_owned(),
        });
    }

    fn into_result(self) -> Result<(), ProcessError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ProcessError::malformed(self.0))
        }
    }
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
        let fields = error
            .violations()
            .iter()
            .map(|violations| violations.field.clone());
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
            object: Some(Object {
                size: -1,
                md5_hash: vec![1],
                ..Object::default()
            }),
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
