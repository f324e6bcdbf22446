//! `CloudEvents` 1.0, as Eventarc sends them: attributes in headers and the data as the body, or all of it in one JSON.
//!
//! Read here and not by `cloudevents-sdk` (0.9): what is asked of an event is four attributes and one JSON body. The SDK
//! would bring an error library, macros and a licence file that no checker knows, to build a whole event for that.

use axum::http::HeaderMap;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::{
    event::{Event, essence, media_type},
    pubsub,
};
use crate::{
    request::Trigger,
    trigger::{
        caller::cut,
        named::{from_event, json},
    },
};

const FINALIZED: &str = "google.cloud.storage.object.v1.finalized";
const HINT_JSON: &str = "fix: create the trigger with --event-data-content-type=application/json";
/// A message of a Pub/Sub topic: its data is the push envelope.
const PUBLISHED: &str = "google.cloud.pubsub.topic.v1.messagePublished";

/// Whether a media type is that of a structured event.
pub(super) fn is_structured(media_type: &str) -> bool {
    media_type == "application/cloudevents+json"
}

/// Whether a media type is that of several events in one body.
pub(super) fn is_batch(media_type: &str) -> bool {
    media_type == "application/cloudevents-batch+json"
}

/// Attributes in `ce-` headers.
pub(super) fn binary(
    headers: &HeaderMap,
    body: &[u8],
    trigger: &mut Trigger,
) -> Result<Event, String> {
    let attribute = |name: &str| {
        let value = headers.get(format!("ce-{name}"))?;
        String::from_utf8(value.as_bytes().to_vec()).ok()
    };
    let kind = check(attribute)?;
    if !is_known(&kind) {
        return Ok(Event::Other(kind));
    }
    check_data(&media_type(headers))?;
    from_data(kind, &json(body)?, trigger)
}

/// All in one JSON object.
pub(super) fn structured(event: &Value, trigger: &mut Trigger) -> Result<Event, String> {
    let attribute = |name: &str| event[name].as_str().map(str::to_owned);
    let kind = check(attribute)?;
    trigger.kind = "eventarc";
    trigger.name = cut(&attribute("source").unwrap_or_default());
    trigger.id = cut(&attribute("id").unwrap_or_default());
    if !is_known(&kind) {
        return Ok(Event::Other(kind));
    }
    match event["data_base64"].as_str() {
        None => from_data(kind, &event["data"], trigger),
        Some(data) => {
            // Without a type it is JSON, as the event itself.
            attribute("datacontenttype").map_or(Ok(()), |given| check_data(&essence(&given)))?;
            let data = BASE64_STANDARD.decode(data);
            let data = data.map_err(|error| format!("`data_base64` is not base64: {error}"))?;
            let data =
                json(&data).map_err(|_| format!("`data_base64` is not JSON; {HINT_JSON}"))?;
            from_data(kind, &data, trigger)
        }
    }
}

/// The event's type, once every attribute that each event must have is there.
fn check(attribute: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let required = |name: &str| {
        let value = attribute(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| format!("CloudEvent {name} is missing"))
    };
    let version = required("specversion")?;
    if version != "1.0" {
        return Err(format!("CloudEvent specversion is {version:?}; expected \"1.0\""));
    }
    required("id")?;
    required("source")?;
    required("type")
}

fn is_known(kind: &str) -> bool {
    matches!(kind, FINALIZED | PUBLISHED)
}

/// Refuses data that is not JSON, such as protobuf, by its media type.
fn check_data(media_type: &str) -> Result<(), String> {
    if media_type == "application/json" || media_type.ends_with("+json") {
        return Ok(());
    }
    Err(format!("the data's content type is {media_type:?}; {HINT_JSON}"))
}

fn from_data(kind: String, data: &Value, trigger: &mut Trigger) -> Result<Event, String> {
    match kind.as_str() {
        FINALIZED => {
            let object = from_event(data).map_err(|why| format!("event data: {why}"))?;
            Ok(Event::Object(object))
        }
        PUBLISHED => pubsub::wrapped(data, trigger),
        _ => Ok(Event::Other(kind)),
    }
}
