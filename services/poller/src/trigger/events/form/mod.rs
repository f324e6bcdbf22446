//! Which form an event has.

use axum::http::HeaderMap;
use serde_json::Value;

use super::{
    cloud_event,
    event::{Event, media_type},
    notification, pubsub,
};
use crate::{request::Trigger, trigger::named::json};

const BATCH: &str = "the body is a batch of events; fix: send one event a request";

/// Reads an event of any form, and adds to `trigger` what only its body says. An error says what is malformed.
pub(super) fn read(
    headers: &HeaderMap,
    body: &[u8],
    trigger: &mut Trigger,
) -> Result<Event, String> {
    let media_type = media_type(headers);
    if cloud_event::is_structured(&media_type) {
        return cloud_event::structured(&json(body)?, trigger);
    }
    if cloud_event::is_batch(&media_type) {
        return Err(BATCH.into());
    }
    if headers.contains_key("ce-specversion") {
        return cloud_event::binary(headers, body, trigger);
    }
    if body.trim_ascii().is_empty() {
        // Unwrapped, with attributes alone: the payload's format is NONE.
        return notification::from_headers(headers, &Value::Null);
    }
    let body = json(body)?;
    if body.is_array() {
        return Err(BATCH.into());
    }
    if body.get("specversion").is_some() {
        // A structured one under a plain media type.
        return cloud_event::structured(&body, trigger);
    }
    if body.get("message").is_some() {
        return pubsub::wrapped(&body, trigger);
    }
    notification::from_headers(headers, &body)
}

#[cfg(test)]
mod tests;
