//! Which form an event has.

use axum::http::HeaderMap;
use serde_json::Value;

use super::{
    cloud_event,
    event::{Event, media_type},
    notification, pubsub,
};
use crate::{request::Trigger, trigger::named::json};

/// Reads an event of any form, and adds to `trigger` what only its body says. An error says what is malformed.
pub(super) fn read(
    headers: &HeaderMap,
    body: &[u8],
    trigger: &mut Trigger,
) -> Result<Event, String> {
    if cloud_event::is_structured(&media_type(headers)) {
        return cloud_event::structured(&json(body)?, trigger);
    }
    if headers.contains_key("ce-specversion") {
        return cloud_event::binary(headers, body, trigger);
    }
    if body.trim_ascii().is_empty() {
        // Unwrapped, with attributes alone: the payload's format is NONE.
        return notification::from_headers(headers, &Value::Null);
    }
    let body = json(body)?;
    if body.get("message").is_some() {
        return pubsub::wrapped(&body, trigger);
    }
    notification::from_headers(headers, &body)
}

#[cfg(test)]
mod tests;
