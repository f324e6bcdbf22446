//! Each form of an event, as its documentation writes it out.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    caller::{Caller, Request, attributes, headers, push, wrapped},
    harness::{BUCKET, System, accepting},
};

/// The resource of an object, as the JSON API and Eventarc's `StorageObjectData` have it.
fn resource(name: &str, generation: i64) -> Value {
    json!({
        "kind": "storage#object",
        "id": format!("{BUCKET}/{name}/{generation}"),
        "selfLink": format!("https://www.googleapis.com/storage/v1/b/{BUCKET}/o/{name}"),
        "name": name,
        "bucket": BUCKET,
        "generation": generation.to_string(),
        "metageneration": "1",
        "contentType": "text/plain",
        "timeCreated": "2020-04-23T07:38:57.230Z",
        "updated": "2020-04-23T07:38:57.230Z",
        "storageClass": "STANDARD",
        "timeStorageClassUpdated": "2020-04-23T07:38:57.230Z",
        "size": "352",
        "md5Hash": "kF8MuJ5+CTJxvyhHS1xzRg==",
        "crc32c": "rTVTeQ==",
        "etag": "CNHZkbuF/ugCEAE=",
    })
}

fn with_payload(name: &str, generation: i64) -> Request {
    let mut attributes = attributes(name, generation);
    attributes["payloadFormat"] = "JSON_API_V1".into();
    let data = BASE64_STANDARD.encode(resource(name, generation).to_string());
    wrapped(&json!({"attributes": attributes, "data": data, "orderingKey": "key"}))
}

fn payload_alone(name: &str, generation: i64) -> Request {
    let data = BASE64_STANDARD.encode(resource(name, generation).to_string());
    wrapped(&json!({"data": data}))
}

/// As the emulator of the Cloud SDK and older clients write the keys.
fn snake_case(name: &str, generation: i64) -> Request {
    let envelope = json!({
        "message": {
            "attributes": attributes(name, generation),
            "message_id": "1",
            "publish_time": "2021-02-26T19:13:55.749Z",
            "ordering_key": "key",
        },
        "subscription": "projects/myproject/subscriptions/mysubscription",
        "delivery_attempt": 5,
    });
    (headers(&[("content-type", "application/json")]), envelope.to_string())
}

/// Unwrapped, with the metadata and the attributes as headers.
fn unwrapped(name: &str, generation: i64) -> Vec<(String, String)> {
    let mut given = headers(&[
        ("x-goog-pubsub-subscription-name", "projects/myproject/subscriptions/mysubscription"),
        ("x-goog-pubsub-message-id", "2070443601311540"),
        ("x-goog-pubsub-publish-time", "2021-02-26T19:13:55.749Z"),
        ("x-goog-pubsub-ordering-key", "key"),
    ]);
    for (name, value) in attributes(name, generation).as_object().unwrap() {
        given.push((name.clone(), value.as_str().unwrap().to_owned()));
    }
    given
}

fn unwrapped_without_payload(name: &str, generation: i64) -> Request {
    (unwrapped(name, generation), String::new())
}

fn unwrapped_with_payload(name: &str, generation: i64) -> Request {
    let mut given = unwrapped(name, generation);
    given.extend(headers(&[("content-type", "application/json")]));
    (given, resource(name, generation).to_string())
}

/// Unwrapped, without `--push-no-wrapper-write-metadata`: nothing but the payload.
fn bare_payload(name: &str, generation: i64) -> Request {
    (Vec::new(), resource(name, generation).to_string())
}

/// Eventarc to Cloud Run: `CloudEvents`, binary.
fn eventarc_binary(name: &str, generation: i64) -> Request {
    let given = headers(&[
        ("ce-specversion", "1.0"),
        ("ce-type", "google.cloud.storage.object.v1.finalized"),
        ("ce-source", "//storage.googleapis.com/projects/_/buckets/data"),
        ("ce-subject", &format!("objects/{name}")),
        ("ce-bucket", BUCKET),
        ("ce-id", "1096434104173400"),
        ("ce-time", "2020-12-20T13:37:33.647Z"),
        ("content-type", "application/json; charset=utf-8"),
    ]);
    (given, resource(name, generation).to_string())
}

fn eventarc_structured(name: &str, generation: i64) -> Request {
    let event = json!({
        "specversion": "1.0",
        "type": "google.cloud.storage.object.v1.finalized",
        "source": "//storage.googleapis.com/projects/_/buckets/data",
        "subject": format!("objects/{name}"),
        "id": "1096434104173400",
        "time": "2020-12-20T13:37:33.647Z",
        "bucket": BUCKET,
        "datacontenttype": "application/json",
        "data": resource(name, generation),
    });
    let given = headers(&[("content-type", "application/cloudevents+json; charset=utf-8")]);
    (given, event.to_string())
}

/// Eventarc on a Pub/Sub topic that a bucket's notifications go to.
fn eventarc_pubsub(name: &str, generation: i64) -> Request {
    let (_, body) = push(name, generation);
    let given = headers(&[
        ("ce-specversion", "1.0"),
        ("ce-type", "google.cloud.pubsub.topic.v1.messagePublished"),
        ("ce-source", "//pubsub.googleapis.com/projects/my-project/topics/my-topic"),
        ("ce-id", "2070443601311540"),
        ("ce-time", "2021-02-26T19:13:55.749Z"),
        ("content-type", "application/json"),
    ]);
    (given, body)
}

/// Announces an object of this name and generation.
type Form = fn(&str, i64) -> Request;

const FORMS: [(&str, Form); 10] = [
    ("push", push),
    ("with-payload", with_payload),
    ("payload-alone", payload_alone),
    ("snake-case", snake_case),
    ("unwrapped", unwrapped_without_payload),
    ("unwrapped-with-payload", unwrapped_with_payload),
    ("bare-payload", bare_payload),
    ("eventarc-binary", eventarc_binary),
    ("eventarc-structured", eventarc_structured),
    ("eventarc-pubsub", eventarc_pubsub),
];

#[tokio::test]
async fn every_form_settles_its_object_and_is_acknowledged_again_when_it_is_settled() {
    let system = System::with_processor(accepting()).await;
    let caller = Caller::new(&system);
    for (form, request) in FORMS {
        let name = format!("incoming/{form} é.csv");
        let generation = system.upload(&format!("{form} é.csv"), "x");
        let (headers, body) = request(&name, generation);
        for time in ["first", "second"] {
            let answer = caller.post("events", &headers, body.clone()).await;
            assert_eq!(answer.status, 204, "{form}, the {time} time: {}", answer.body);
            assert_eq!(answer.body, "");
        }
        let processed = format!("processed/{form} é.csv");
        assert!(system.names().contains(&processed), "{form}: {:?}", system.names());
    }
    assert_eq!(system.names().len(), FORMS.len());
}

#[tokio::test]
async fn every_form_leaves_a_newer_generation_alone() {
    let system = System::with_processor(accepting()).await;
    let caller = Caller::new(&system);
    for (form, request) in FORMS {
        let old = system.upload(form, "old");
        system.upload(form, "new");
        let request = request(&format!("incoming/{form}"), old);
        assert_eq!(caller.event(request).await, 204, "{form}");
        assert_eq!(system.content(&format!("incoming/{form}")), "new");
    }
}

#[tokio::test]
async fn other_kinds_of_event_are_acknowledged_and_move_nothing() {
    let system = System::with_processor(accepting()).await;
    let caller = Caller::new(&system);
    let generation = system.upload("a", "x");
    for kind in ["OBJECT_DELETE", "OBJECT_ARCHIVE", "OBJECT_METADATA_UPDATE"] {
        let mut attributes = attributes("incoming/a", generation);
        attributes["eventType"] = kind.into();
        let request = wrapped(&json!({"attributes": attributes}));
        assert_eq!(caller.event(request).await, 204, "{kind}");
    }
    for kind in [
        "google.cloud.storage.object.v1.deleted",
        "google.cloud.storage.object.v1.metadataUpdated",
        "google.cloud.audit.log.v1.written",
    ] {
        let (mut headers, body) = eventarc_binary("incoming/a", generation);
        headers[1].1 = kind.to_owned();
        assert_eq!(caller.event((headers, body)).await, 204, "{kind}");
        let (headers, body) = eventarc_structured("incoming/a", generation);
        let body = body.replace("google.cloud.storage.object.v1.finalized", kind);
        assert_eq!(caller.event((headers, body)).await, 204, "{kind}");
    }
    assert_eq!(system.names(), ["incoming/a"]);
}

#[tokio::test]
async fn what_is_not_ours_or_is_left_out_by_a_filter_is_acknowledged_and_not_touched() {
    let system = System::with_processor(accepting()).await;
    let caller = Caller::new(&system);
    let generation = system.upload("a", "x");
    let bucket = system.emulator.storage().bucket(BUCKET);
    let elsewhere = bucket.put("processed/b", "x").unwrap();
    let control = system.upload(".brigade/c", "x");
    let folder = system.upload("d/", "");
    let mut other_bucket = attributes("incoming/a", generation);
    other_bucket["bucketId"] = "somebody-elses".into();
    let not_ours = [
        other_bucket,
        attributes("processed/b", elsewhere),
        attributes("incoming/.brigade/c", control),
        attributes("incoming/d/", folder),
        attributes("incoming2/a", generation),
    ];
    let before = system.names();
    for attributes in not_ours {
        let (headers, body) = wrapped(&json!({"attributes": attributes}));
        let answer = caller.post("events", &headers, body).await;
        assert_eq!(answer.status, 204, "{attributes}");
    }
    assert_eq!(system.names(), before);
}

#[tokio::test]
async fn every_odd_name_that_is_legal_is_settled_under_its_own_name() {
    let system = System::with_processor(accepting()).await;
    let caller = Caller::new(&system);
    let long = "x".repeat(1_000);
    let names = [
        "a b",
        "a/../b",
        "a//b",
        "#?*[]{}",
        "%2e%2e%0a",
        "\u{1}\t\u{7f}",
        "\u{202e}gnp.exe",
        "é",
        "e\u{301}",
        "👩‍👩‍👧",
        "\"quoted\\\"",
        "<script>",
        "$(id)",
        "-rf",
        ".",
        "..",
        &long,
    ];
    for name in names {
        let generation = system.upload(name, "x");
        let answer = caller.announce(name, generation).await;
        assert_eq!(answer.status, 204, "{name:?}: {}", answer.body);
        assert!(system.names().contains(&format!("processed/{name}")), "{name:?}");
    }
    assert_eq!(system.names().len(), names.len());
}
