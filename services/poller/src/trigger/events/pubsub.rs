//! Pub/Sub's push envelope.

use std::collections::BTreeMap;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::Value;

use super::{event::Event, notification};
use crate::{
    request::Trigger,
    trigger::{caller::cut, named::json},
};

/// proto3 JSON takes both alphabets, padded or not.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Reads `{"message": {…}, "subscription": …, "deliveryAttempt": …}`. The keys are in camel case or in snake case; Pub/Sub
/// sends some in both.
pub(super) fn wrapped(envelope: &Value, trigger: &mut Trigger) -> Result<Event, String> {
    let message = &envelope["message"];
    if !message.is_object() {
        return Err("`message` is not an object".into());
    }
    describe(envelope, message, trigger);
    let attributes = attributes(&message["attributes"])?;
    let payload = payload(&message["data"])?;
    notification::read(|name| attributes.get(name).copied().map(str::to_owned), &payload)
}

/// What the envelope says of itself goes into the logs.
fn describe(envelope: &Value, message: &Value, trigger: &mut Trigger) {
    if trigger.kind != "eventarc" {
        trigger.kind = "pubsub";
        trigger.name = cut(envelope["subscription"].as_str().unwrap_or_default());
        trigger.id = cut(either(message, "messageId", "message_id").as_str().unwrap_or_default());
    }
    trigger.attempt = either(envelope, "deliveryAttempt", "delivery_attempt").as_u64();
    let key = either(message, "orderingKey", "ordering_key").as_str();
    trigger.ordering_key = cut(key.unwrap_or_default());
}

fn either<'a>(object: &'a Value, camel: &str, snake: &str) -> &'a Value {
    match &object[camel] {
        Value::Null => &object[snake],
        value => value,
    }
}

fn attributes(given: &Value) -> Result<BTreeMap<&str, &str>, String> {
    let Value::Object(attributes) = given else {
        return match given {
            Value::Null => Ok(BTreeMap::new()),
            _ => Err("`message.attributes` is not an object".into()),
        };
    };
    let pairs = attributes.iter().map(|(name, value)| {
        let value = value.as_str();
        let value = value.ok_or_else(|| format!("the attribute {name:?} is not a string"))?;
        Ok((name.as_str(), value))
    });
    pairs.collect()
}

/// The data as JSON, or nothing when there is none. Data that is no JSON is no notification, unless the attributes
/// say it all.
fn payload(data: &Value) -> Result<Value, String> {
    let data = match data {
        Value::Null => return Ok(Value::Null),
        Value::String(data) => data,
        _ => return Err("`message.data` is not a string".into()),
    };
    let bytes = STANDARD.decode(data).or_else(|_| URL_SAFE.decode(data));
    let bytes = bytes.map_err(|error| format!("`message.data` is not base64: {error}"))?;
    Ok(json(&bytes).unwrap_or_default())
}
