//! Which form an event has, and what it says.

use axum::http::{HeaderMap, header::CONTENT_TYPE};
use serde_json::Value;

use super::{cloud_event, notification, pubsub};
use crate::{one::ObjectRef, poll::Trigger};

/// What an event is about.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// An object that may be work.
    Object(ObjectRef),
    /// Something else, by its type: a deletion, another service's event.
    Other(String),
}

/// Reads an event of any form, and adds to `trigger` what only its body says. An error says what is malformed.
pub(super) fn read(
    headers: &HeaderMap,
    body: &[u8],
    trigger: &mut Trigger,
) -> Result<Event, String> {
    if cloud_event::is_structured(media_type(headers)) {
        return cloud_event::structured(&json(body)?, trigger);
    }
    if headers.contains_key("ce-specversion") {
        return cloud_event::binary(headers, body, trigger);
    }
    if body.trim_ascii().is_empty() {
        // Unwrapped, with attributes alone: the payload's format is NONE.
        return notification::of_headers(headers, &Value::Null);
    }
    let body = json(body)?;
    if body.get("message").is_some() {
        return pubsub::wrapped(&body, trigger);
    }
    notification::of_headers(headers, &body)
}

/// A body of JSON.
pub(super) fn json(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))
}

/// The media type without its parameters, in lower case; empty when there is none.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = value.unwrap_or_default().split(';').next();
    media_type.unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
