use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::json;

use super::*;
use crate::request::ObjectRef;

fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
    let given = given.iter().map(|(name, value)| {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        (HeaderName::from_static(name), value)
    });
    given.collect()
}

fn read_with(given: &[(&'static str, &str)], body: &[u8]) -> (Result<Event, String>, Trigger) {
    let headers = headers(given);
    let mut trigger = crate::trigger::caller::from_headers(&headers, "http");
    (read(&headers, body, &mut trigger), trigger)
}

fn push(message: &Value) -> Result<Event, String> {
    let envelope = json!({"message": message, "subscription": "projects/p/subscriptions/s"});
    read_with(&[JSON], envelope.to_string().as_bytes()).0
}

const JSON: (&str, &str) = ("content-type", "application/json");
const STRUCTURED: &str = "application/cloudevents+json";

fn object(name: &str) -> Event {
    Event::Object(ObjectRef { bucket: "b".into(), name: name.into(), generation: Some(7) })
}

fn attributes(name: &str) -> Value {
    json!({"eventType": "OBJECT_FINALIZE", "bucketId": "b", "objectId": name, "objectGeneration": "7",
        "payloadFormat": "NONE"})
}

#[test]
fn a_push_is_read_by_its_attributes_whatever_its_data() {
    for data in [Value::Null, json!(""), json!(BASE64_STANDARD.encode("no JSON"))] {
        let message = json!({"attributes": attributes("in/a"), "data": data});
        assert_eq!(push(&message), Ok(object("in/a")));
    }
}

#[test]
fn a_payload_alone_names_its_object_in_either_alphabet() {
    let resource =
        json!({"kind": "storage#object", "bucket": "b", "name": "in/ÿ>?", "generation": "7"});
    for data in [
        BASE64_STANDARD.encode(resource.to_string()),
        BASE64_URL_SAFE_NO_PAD.encode(resource.to_string()),
    ] {
        assert_eq!(push(&json!({"data": data})), Ok(object("in/ÿ>?")));
    }
}

#[test]
fn the_envelope_tells_the_delivery_in_camel_and_in_snake_case() {
    let camel = json!({
        "message": {"messageId": "m", "message_id": "m", "orderingKey": "k", "attributes": attributes("a")},
        "subscription": "s", "deliveryAttempt": 3
    });
    let snake = json!({
        "message": {"message_id": "m", "ordering_key": "k", "attributes": attributes("a")},
        "subscription": "s", "delivery_attempt": 3
    });
    for envelope in [camel, snake] {
        let (event, trigger) = read_with(&[JSON], envelope.to_string().as_bytes());
        assert_eq!(event, Ok(object("a")));
        assert_eq!(
            (trigger.kind, trigger.id.as_str(), trigger.name.as_str()),
            ("pubsub", "m", "s")
        );
        assert_eq!((trigger.ordering_key.as_str(), trigger.attempt), ("k", Some(3)));
    }
}

#[test]
fn other_kinds_of_event_are_told_by_their_type() {
    for kind in ["OBJECT_DELETE", "OBJECT_ARCHIVE", "OBJECT_METADATA_UPDATE", "OBJECT_NEWS"] {
        assert_eq!(
            push(&json!({"attributes": {"eventType": kind}})),
            Ok(Event::Other(kind.into()))
        );
    }
    let deleted = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "//storage"),
        ("ce-type", "google.cloud.storage.object.v1.deleted"),
    ];
    let kind = "google.cloud.storage.object.v1.deleted".to_owned();
    assert_eq!(read_with(&deleted, b"").0, Ok(Event::Other(kind)));
}

#[test]
fn a_cloud_event_is_read_in_both_modes() {
    let data = json!({"bucket": "b", "name": "in/a", "generation": "7"});
    let finalized = "google.cloud.storage.object.v1.finalized";
    let binary = [
        JSON,
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "//storage"),
        ("ce-type", finalized),
    ];
    let (event, trigger) = read_with(&binary, data.to_string().as_bytes());
    assert_eq!((event, trigger.kind), (Ok(object("in/a")), "eventarc"));

    let kinds =
        [("data", data.clone()), ("data_base64", json!(BASE64_STANDARD.encode(data.to_string())))];
    for (field, data) in kinds {
        let event = json!({"specversion": "1.0", "id": "1", "source": "//storage", "type": finalized, field: data});
        // Plain JSON too: proxies and hand-made senders give it no other type.
        for media_type in ["application/cloudevents+json; charset=utf-8", "application/json"] {
            let given = [("content-type", media_type)];
            let (event, trigger) = read_with(&given, event.to_string().as_bytes());
            let caller = (trigger.kind, trigger.id.as_str());
            assert_eq!((event, caller), (Ok(object("in/a")), ("eventarc", "1")), "{media_type}");
        }
    }
}

#[test]
fn a_published_message_within_a_cloud_event_is_a_push() {
    let published = [
        JSON,
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "//pubsub"),
        ("ce-type", "google.cloud.pubsub.topic.v1.messagePublished"),
    ];
    let envelope = json!({"message": {"messageId": "m", "attributes": attributes("a")}});
    let (event, trigger) = read_with(&published, envelope.to_string().as_bytes());
    assert_eq!((event, trigger.kind, trigger.id.as_str()), (Ok(object("a")), "eventarc", "1"));
}

#[test]
fn attributes_as_headers_name_the_object_with_and_without_a_payload() {
    let unwrapped = [
        ("x-goog-pubsub-message-id", "m"),
        ("eventtype", "OBJECT_FINALIZE"),
        ("bucketid", "b"),
        ("objectid", "in/é"),
        ("objectgeneration", "7"),
    ];
    for body in ["", "{}", r#"{"name": "something else"}"#] {
        assert_eq!(read_with(&unwrapped, body.as_bytes()).0, Ok(object("in/é")));
    }
    let bare = json!({"bucket": "b", "name": "in/é", "generation": 7}).to_string();
    assert_eq!(read_with(&[], bare.as_bytes()).0, Ok(object("in/é")));
}

#[test]
fn what_is_malformed_says_why() {
    let data = |text: &str| json!({"data": BASE64_STANDARD.encode(text)});
    let mut bad: Vec<(String, Result<Event, String>)> = [
        json!("text"),
        json!({}),
        json!({"attributes": []}),
        json!({"attributes": {"bucketId": 1}}),
        json!({"data": 1}),
        json!({"data": "%%%", "attributes": attributes("a")}),
        json!({"attributes": {"bucketId": "b", "objectId": "a"}}),
        json!({"attributes": {"bucketId": "b", "objectId": "a", "objectGeneration": "-7"}}),
        json!({"attributes": {"bucketId": "b", "objectId": "a", "objectGeneration": "x"}}),
        json!({"attributes": {"bucketId": "b", "objectGeneration": "7"}}),
        json!({"attributes": {"objectId": "a", "objectGeneration": "7"}}),
        json!({"attributes": {"bucketId": "b", "objectId": "..", "objectGeneration": "7"}}),
        json!({"attributes": {"bucketId": "b", "objectId": "x".repeat(1_025), "objectGeneration": "7"}}),
        data(r#"{"bucket":"b","name":"a"}"#),
        data(r#"{"bucket":7}"#),
    ]
    .map(|message| (format!("{message:.99}"), push(&message)))
    .into();
    let cloud = |version, id, kind, data: &str| {
        let given = [
            ("ce-specversion", version),
            ("ce-id", id),
            ("ce-source", "s"),
            ("content-type", kind),
            ("ce-type", "google.cloud.storage.object.v1.finalized"),
        ];
        let case = format!("CloudEvent {version} {id:?} {kind} {data}");
        (case, read_with(&given, data.as_bytes()).0)
    };
    bad.extend([
        cloud("0.3", "1", JSON.1, "{}"),
        cloud("1.0", "", JSON.1, "{}"),
        cloud("1.0", "1", "application/protobuf", "{}"),
        cloud("1.0", "1", JSON.1, "{}"),
        cloud("1.0", "1", JSON.1, r#"{"bucket":"b","name":"a"}"#),
    ]);
    let structured = |media_type, rest: &str| {
        let event = format!(
            r#"{{"specversion":"1.0","id":"1","source":"s","type":"google.cloud.storage.object.v1.finalized",{rest}}}"#
        );
        let read = read_with(&[("content-type", media_type)], event.as_bytes()).0;
        (format!("structured, as {media_type}: {rest}"), read)
    };
    bad.extend([
        structured(STRUCTURED, r#""datacontenttype":"application/protobuf","data_base64":"CgFi""#),
        structured(JSON.1, r#""data_base64":"CgFi""#),
        structured(JSON.1, r#""data":{}"#),
    ]);
    let batch = ("content-type", "application/cloudevents-batch+json");
    bad.push(("a batch".into(), read_with(&[batch], b"[]").0));
    bad.push(("a batch as plain JSON".into(), read_with(&[JSON], br#"[{"specversion":"1.0"}]"#).0));
    for body in ["", "no JSON", "[]", "7", "null", "\"x\""] {
        bad.push((format!("body {body:?}"), read_with(&[JSON], body.as_bytes()).0));
    }
    let not_utf8 = HeaderValue::from_bytes(b"\xff").unwrap();
    let headers = [(HeaderName::from_static("objectid"), not_utf8)].into_iter().collect();
    let read = read(&headers, b"", &mut Trigger::default());
    bad.push(("a header that is not UTF-8".into(), read));
    let rows = bad.iter().map(|(case, read)| {
        let why = read.as_ref().expect_err(case);
        format!("{case}\n    {why}\n")
    });
    insta::assert_snapshot!(rows.collect::<Vec<_>>().concat());
}
