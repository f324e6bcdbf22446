//! What cannot be read is answered 400, so that a dead-letter topic takes it, and moves nothing.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    caller::{Caller, attributes, headers, wrapped},
    harness::{BUCKET, CALLER, STRANGER, System, accepting},
};

async fn system() -> System {
    let system = System::with_processor(accepting()).await;
    system.upload("a", "x");
    system
}

fn without(mut attributes: Value, name: &str) -> Value {
    attributes.as_object_mut().unwrap().remove(name);
    attributes
}

fn with(mut attributes: Value, name: &str, value: impl Into<Value>) -> Value {
    attributes[name] = value.into();
    attributes
}

#[tokio::test]
async fn messages_that_name_no_object_are_malformed() {
    let system = system().await;
    let caller = Caller::new(&system);
    let good = attributes("incoming/a", 7);
    let long = "x".repeat(1_025);
    let messages = [
        json!({}),
        json!({"attributes": {}}),
        json!({"attributes": null, "data": ""}),
        json!({"attributes": "text"}),
        json!({"data": "not base64!"}),
        json!({"data": "SGVsbG8gQ2xvdWQgUHViL1N1YiEgSGVyZSBpcyBteSBtZXNzYWdlIQ=="}),
        json!({"data": 7}),
        json!({"data": BASE64_STANDARD.encode("[1, 2]")}),
        json!({"attributes": good, "data": "%"}),
        json!({"attributes": without(good.clone(), "bucketId")}),
        json!({"attributes": without(good.clone(), "objectId")}),
        json!({"attributes": without(good.clone(), "objectGeneration")}),
        json!({"attributes": with(good.clone(), "objectGeneration", "-7")}),
        json!({"attributes": with(good.clone(), "objectGeneration", "0")}),
        json!({"attributes": with(good.clone(), "objectGeneration", "seven")}),
        json!({"attributes": with(good.clone(), "objectGeneration", "9223372036854775808")}),
        json!({"attributes": with(good.clone(), "objectGeneration", 7)}),
        json!({"attributes": with(good.clone(), "objectId", "")}),
        json!({"attributes": with(good.clone(), "objectId", "incoming/a\nb")}),
        json!({"attributes": with(good.clone(), "objectId", "incoming/a\rb")}),
        json!({"attributes": with(good.clone(), "objectId", long.as_str())}),
    ];
    for message in messages {
        let (headers, body) = wrapped(&message);
        let answer = caller.post("events", &headers, body).await;
        assert_eq!(answer.status, 400, "{message}");
        assert!(!answer.json()["error"].as_str().unwrap().is_empty());
    }
    assert_eq!(system.names(), ["incoming/a"]);
}

#[tokio::test]
async fn bodies_that_are_no_event_are_malformed() {
    let system = system().await;
    let caller = Caller::new(&system);
    let deep = "[".repeat(10_000);
    let bodies =
        ["", "{", "null", "[]", "7", "\"text\"", "{}", "{\"message\": null}", "\u{0}", &deep];
    for body in bodies {
        for content_type in ["application/json", "text/plain", "application/cloudevents+json"] {
            let headers = headers(&[("content-type", content_type)]);
            let answer = caller.post("events", &headers, body.to_owned()).await;
            assert_eq!(answer.status, 400, "{content_type}: {body:.20}");
        }
    }
    let no_utf8 = caller.post("events", &[], vec![0xff_u8, 0xfe]).await;
    assert_eq!(no_utf8.status, 400);
    assert_eq!(system.names(), ["incoming/a"]);
}

#[tokio::test]
async fn cloud_events_that_lack_something_are_malformed() {
    let system = system().await;
    let caller = Caller::new(&system);
    let good = [
        ("ce-specversion", "1.0"),
        ("ce-type", "google.cloud.storage.object.v1.finalized"),
        ("ce-source", "//storage.googleapis.com/projects/_/buckets/data"),
        ("ce-id", "1"),
        ("content-type", "application/json"),
    ];
    let data = json!({"bucket": BUCKET, "name": "incoming/a", "generation": "7"}).to_string();
    for (at, value) in [(0, "0.3"), (1, ""), (2, ""), (3, ""), (4, "application/protobuf")] {
        let mut bad = good;
        bad[at].1 = value;
        let answer = caller.post("events", &headers(&bad), data.clone()).await;
        assert_eq!(answer.status, 400, "{:?}", bad[at]);
    }
    for data in ["", "{}", "[]", r#"{"bucket": "data", "name": "incoming/a"}"#, r#"{"bucket": 1}"#]
    {
        let answer = caller.post("events", &headers(&good), data).await;
        assert_eq!(answer.status, 400, "{data}");
    }
    assert_eq!(system.names(), ["incoming/a"]);
}

#[tokio::test]
async fn a_body_of_more_than_a_mebibyte_is_too_large_and_one_that_fits_is_read() {
    let system = System::with_processor(accepting()).await;
    let caller = Caller::new(&system);
    let generation = system.upload("a", "x");
    let padded = |length: usize| {
        let (headers, body) = wrapped(&json!({"attributes": attributes("incoming/a", generation)}));
        (headers, format!("{body}{}", " ".repeat(length - body.len())))
    };
    let (headers, body) = padded(1024 * 1024 + 1);
    assert_eq!(caller.post("events", &headers, body).await.status, 413);
    assert_eq!(system.names(), ["incoming/a"]);
    let (headers, body) = padded(1024 * 1024);
    assert_eq!(caller.post("events", &headers, body).await.status, 204);
    assert_eq!(system.names(), ["processed/a"]);
    // Elsewhere a request names one thing, and nothing is that long.
    for path in ["poll", "process"] {
        let answer = caller.post(path, &[], " ".repeat(64 * 1024 + 6)).await;
        assert_eq!(answer.status, 413, "{path}");
    }
}

#[tokio::test]
async fn a_compressed_body_is_refused_by_the_name_of_its_encoding() {
    let system = system().await;
    let caller = Caller::new(&system);
    for path in ["events", "process", "poll"] {
        let gzip = headers(&[("content-encoding", "gzip"), ("content-type", "application/json")]);
        let answer = caller.post(path, &gzip, vec![0x1f_u8, 0x8b, 8]).await;
        assert_eq!(answer.status, 415, "{path}");
        let fix = r#"the body's content encoding is "gzip"; fix: send it without one"#;
        assert_eq!(answer.json()["error"], fix);
        let none = headers(&[("content-encoding", "Identity")]);
        assert_ne!(caller.post(path, &none, "{}").await.status, 415, "{path}");
    }
}

#[tokio::test]
async fn whoever_may_not_call_is_refused_before_anything_is_read() {
    let system = system().await;
    let audience = brigade_client::identity::origin(&system.poller);
    let identity = system.emulator.identity();
    let tokens = [
        (None, 401),
        (Some(identity.mint(STRANGER, &audience)), 403),
        (Some(identity.mint(CALLER, "https://somebody-else.example")), 401),
    ];
    for path in ["events", "process", "poll"] {
        for (token, status) in &tokens {
            let url = system.poller.join(path).unwrap();
            // What is sent is no JSON, and is longer than anybody may send.
            let request = reqwest::Client::new().post(url).body(" ".repeat(1024 * 1024 + 1));
            let request = match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status().as_u16(), *status, "{path}");
        }
    }
    assert_eq!(system.names(), ["incoming/a"]);
}
