//! An object named in JSON: what is asked of it before anything is looked up.

use serde_json::Value;

use crate::request::ObjectRef;

/// Cloud Storage's limit for an object's name, in bytes of UTF-8.
const MAX_NAME: usize = 1024;

/// A body of JSON.
pub(super) fn json(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))
}

/// Checks what names an object. Anything that Cloud Storage itself could not have is malformed.
pub(super) fn named(
    bucket: Option<&str>,
    name: Option<&str>,
    generation: Option<i64>,
) -> Result<ObjectRef, String> {
    let bucket = bucket.filter(|bucket| !bucket.is_empty()).ok_or("bucket is missing")?;
    let name = name.filter(|name| !name.is_empty()).ok_or("object name is missing")?;
    if name.len() > MAX_NAME {
        return Err(format!("object name has {} bytes; expected at most {MAX_NAME}", name.len()));
    }
    if name.contains(['\r', '\n']) || matches!(name, "." | "..") {
        return Err("object name is one that Cloud Storage does not allow".into());
    }
    if let Some(generation) = generation.filter(|&generation| generation <= 0) {
        return Err(format!("generation is {generation}; expected a whole number above 0"));
    }
    Ok(ObjectRef { bucket: bucket.to_owned(), name: name.to_owned(), generation })
}

/// A generation, which proto3 JSON and the storage API write as a string, and a person as a number.
pub(super) fn generation(value: &Value) -> Result<Option<i64>, String> {
    let wrong = || format!("generation is {value}; expected a whole number above 0");
    match value {
        Value::Null => Ok(None),
        Value::String(text) => text.parse().map(Some).map_err(|_| wrong()),
        Value::Number(number) => number.as_i64().map(Some).ok_or_else(wrong),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(wrong()),
    }
}

/// The fields `bucket`, `name` and `generation` of a JSON object.
pub(super) fn from_resource(resource: &Value) -> Result<ObjectRef, String> {
    let text = |field: &str| match &resource[field] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.as_str())),
        _ => Err(format!("{field} is not a string")),
    };
    named(text("bucket")?, text("name")?, generation(&resource["generation"])?)
}

/// The same of an event's object, whose generation is never left out.
pub(super) fn from_event(resource: &Value) -> Result<ObjectRef, String> {
    let object = from_resource(resource)?;
    match object.generation {
        Some(_) => Ok(object),
        None => Err("generation is missing".into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_generation_is_a_number_or_a_string_of_one_above_zero() {
        for given in [json!("7"), json!(7)] {
            let resource = json!({"bucket": "b", "name": "n", "generation": given});
            assert_eq!(from_resource(&resource).unwrap().generation, Some(7));
        }
        for given in [
            json!(-1),
            json!("0"),
            json!(1.5),
            json!("x"),
            json!([1]),
            json!("9223372036854775808"),
        ] {
            let resource = json!({"bucket": "b", "name": "n", "generation": given});
            assert!(from_resource(&resource).is_err(), "{given}");
        }
    }

    #[test]
    fn every_legal_name_passes_and_no_other() {
        let legal =
            ["a", "a/../b", "//", "a\u{1}\t\u{7f}", "#?*[]", "é", "e\u{301}", "%0A", "...", "x/"];
        for name in legal {
            assert_eq!(named(Some("b"), Some(name), None).unwrap().name, name);
        }
        let long = "x".repeat(MAX_NAME + 1);
        for name in ["", ".", "..", "a\nb", "a\rb", &long] {
            assert!(named(Some("b"), Some(name), None).is_err(), "{name:?}");
        }
        assert!(named(Some("b"), Some(&long[1..]), None).is_ok());
        assert!(named(None, Some("a"), None).is_err());
    }
}
