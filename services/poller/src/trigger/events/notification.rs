//! A notification of Cloud Storage: attributes, and with the format `JSON_API_V1` the object itself as the payload.
//!
//! Source: Cloud Storage, "Pub/Sub notifications", "Attributes" and "Payload".

use axum::http::HeaderMap;
use serde_json::Value;

use super::event::Event;
use crate::trigger::named::{from_event, generation, named};

const FINALIZE: &str = "OBJECT_FINALIZE";

/// Attributes that came as headers: Pub/Sub without its wrapper, with `--push-no-wrapper-write-metadata`.
pub(super) fn from_headers(headers: &HeaderMap, payload: &Value) -> Result<Event, String> {
    let mut wrong = None;
    let event = read(
        |name| {
            let value = headers.get(name)?;
            let text = String::from_utf8(value.as_bytes().to_vec());
            text.map_err(|_| wrong = Some(format!("the attribute {name} is not UTF-8"))).ok()
        },
        payload,
    );
    wrong.map_or(event, Err)
}

/// Reads attributes and payload. The attributes come first; what they leave out is in the payload.
pub(super) fn read(
    mut attribute: impl FnMut(&str) -> Option<String>,
    payload: &Value,
) -> Result<Event, String> {
    if let Some(kind) = attribute("eventType").filter(|kind| kind != FINALIZE) {
        return Ok(Event::Other(kind));
    }
    let [bucket, name, given] = ["bucketId", "objectId", "objectGeneration"].map(&mut attribute);
    if bucket.is_none() && name.is_none() && given.is_none() {
        // A resource of the storage API; without attributes the kind of event is unknown, and the object as it is
        // now decides.
        let object = from_event(payload).map_err(|why| format!("{MISSING}; payload: {why}"))?;
        return Ok(Event::Object(object));
    }
    let given = given.ok_or("the attribute objectGeneration is missing")?;
    let generation = generation(&Value::String(given))?;
    named(bucket.as_deref(), name.as_deref(), generation).map(Event::Object)
}

const MISSING: &str = "the attributes bucketId, objectId and objectGeneration are missing";
