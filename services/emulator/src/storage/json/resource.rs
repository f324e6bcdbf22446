//! Objects and buckets as JSON resources, and the attributes that a resource has.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::unsupported;
use brigade_model::{Attributes, BucketInfo, Object, Refusal, Result};

/// An object's resource. Empty attributes are left out, as in recordings of Cloud Storage.
pub(super) fn object(bucket: &str, object: &Object) -> Value {
    let attributes = &object.attributes;
    let created = time(object.created());
    let mut resource = json!({
        "kind": "storage#object",
        "id": format!("{bucket}/{}/{}", object.name, object.generation),
        "name": object.name,
        "bucket": bucket,
        "generation": object.generation.to_string(),
        "metageneration": object.metageneration.to_string(),
        "storageClass": or(&attributes.storage_class, "STANDARD"),
        "size": object.size.to_string(),
        "crc32c": crc32c(object.crc32c),
        "md5Hash": object.md5.map(|md5| BASE64_STANDARD.encode(md5)),
        "etag": etag(object),
        "timeCreated": created,
        "timeFinalized": created,
        "timeStorageClassUpdated": created,
        "updated": time(object.updated),
    });
    for (key, value) in [
        ("contentType", &attributes.content_type),
        ("contentEncoding", &attributes.content_encoding),
        ("contentDisposition", &attributes.content_disposition),
        ("contentLanguage", &attributes.content_language),
        ("cacheControl", &attributes.cache_control),
    ] {
        if !value.is_empty() {
            resource[key] = json!(value);
        }
    }
    if let Some(custom) = &attributes.custom_time {
        resource["customTime"] = json!(custom);
    }
    if !attributes.metadata.is_empty() {
        resource["metadata"] = json!(attributes.metadata);
    }
    if attributes.temporary_hold {
        resource["temporaryHold"] = json!(true);
    }
    if attributes.event_based_hold {
        resource["eventBasedHold"] = json!(true);
    }
    if let Some(until) = object.retention_expires {
        resource["retentionExpirationTime"] = json!(time(until));
    }
    resource
}

/// A bucket's resource.
pub(super) fn bucket(info: &BucketInfo) -> Value {
    let config = &info.config;
    let mut resource = json!({
        "kind": "storage#bucket",
        "id": info.name,
        "name": info.name,
        "projectNumber": "0",
        "metageneration": BucketInfo::METAGENERATION.to_string(),
        "location": config.location(),
        "locationType": config.location_type(),
        "storageClass": or(&config.storage_class, "STANDARD"),
        "etag": BucketInfo::METAGENERATION.to_string(),
        "timeCreated": time(info.created),
        "updated": time(info.created),
    });
    if !config.labels.is_empty() {
        resource["labels"] = json!(config.labels);
    }
    for (field, value) in &config.fields {
        resource[field] = serde_json::from_str(value).unwrap_or_default();
    }
    if let Some(period) = config.retention {
        resource["retentionPolicy"] = json!({
            "retentionPeriod": period.as_secs().to_string(),
            "effectiveTime": time(info.created),
        });
    }
    resource
}

/// Checksums as they are written in JSON and in headers: big-endian, in base64.
pub(super) fn crc32c(sum: u32) -> String {
    BASE64_STANDARD.encode(sum.to_be_bytes())
}

pub(super) fn etag(object: &Object) -> String {
    BASE64_STANDARD.encode(format!("{}/{}", object.generation, object.metageneration))
}

fn time(time: Timestamp) -> String {
    format!("{time:.3}")
}

fn or<'a>(value: &'a str, default: &'a str) -> &'a str {
    if value.is_empty() { default } else { value }
}

/// Applies a resource as a patch: `null` clears, what is not named stays. Fields that cannot be set are
/// ignored, so that a resource that was read can be sent back.
pub(super) fn apply(resource: &Map<String, Value>, to: &mut Attributes) -> Result<()> {
    unsupported::refuse_fields(resource, unsupported::OF_OBJECTS)?;
    for (key, value) in resource {
        match key.as_str() {
            "contentType" => to.content_type = text(key, value)?,
            "contentEncoding" => to.content_encoding = text(key, value)?,
            "contentDisposition" => to.content_disposition = text(key, value)?,
            "contentLanguage" => to.content_language = text(key, value)?,
            "cacheControl" => to.cache_control = text(key, value)?,
            "customTime" => to.custom_time = custom_time(key, value)?,
            "temporaryHold" => to.temporary_hold = flag(key, value)?,
            "eventBasedHold" => to.event_based_hold = flag(key, value)?,
            "metadata" => apply_metadata(key, value, &mut to.metadata)?,
            _ => {}
        }
    }
    Ok(())
}

/// Changes a map of strings: `null` removes.
pub(super) fn apply_metadata(
    field: &str,
    value: &Value,
    to: &mut BTreeMap<String, String>,
) -> Result<()> {
    let changes = match value {
        Value::Null => {
            to.clear();
            return Ok(());
        }
        Value::Object(changes) => changes,
        _ => return Err(wrong(field, "an object")),
    };
    for (key, value) in changes {
        match value {
            Value::Null => to.remove(key),
            Value::String(value) => to.insert(key.clone(), value.clone()),
            _ => return Err(wrong(field, "an object of strings")),
        };
    }
    Ok(())
}

/// A resource's own word on its storage class, which only a new object can have.
pub(super) fn storage_class(resource: &Map<String, Value>) -> Result<String> {
    text("storageClass", resource.get("storageClass").unwrap_or(&Value::Null))
}

/// A checksum in a resource.
pub(super) fn checksum<const N: usize>(
    resource: &Map<String, Value>,
    key: &str,
) -> Result<Option<[u8; N]>> {
    match resource.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let bytes = value.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
            let sum = bytes.and_then(|bytes| bytes.try_into().ok());
            sum.map(Some).ok_or_else(|| wrong(key, "a checksum in base64"))
        }
    }
}

pub(super) fn text(key: &str, value: &Value) -> Result<String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        _ => Err(wrong(key, "a string")),
    }
}

fn flag(key: &str, value: &Value) -> Result<bool> {
    match value {
        Value::Null => Ok(false),
        Value::Bool(flag) => Ok(*flag),
        _ => Err(wrong(key, "true or false")),
    }
}

fn custom_time(key: &str, value: &Value) -> Result<Option<String>> {
    let text = text(key, value)?;
    if text.is_empty() {
        return Ok(None);
    }
    let time: Timestamp = text.parse().map_err(|_| wrong(key, "an RFC 3339 time"))?;
    Ok(Some(time.to_string()))
}

fn wrong(key: &str, want: &str) -> Refusal {
    Refusal::invalid(format!("Invalid value for {key}: it must be {want}."))
}
