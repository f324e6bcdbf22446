//! What the log says of a trigger.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use brigade_proto::v1::ProcessResponse;
use brigade_runtime::telemetry::{Buffer, Format, subscriber};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tracing::subscriber::DefaultGuard;

use super::{world::World, *};

async fn post(world: &World, path: &str, headers: &[(&str, &str)], body: Value) -> StatusCode {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_string())).unwrap();
    let routes = crate::trigger::routes(&world.poller);
    routes.oneshot(request).await.unwrap().status()
}

/// `tracing` remembers of each line whether a subscriber wants it; those of other tests do not.
fn enable_all_lines() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let everything = subscriber(Format::Json, "info", Buffer::default());
        let _ = tracing::subscriber::set_global_default(everything);
    });
}

/// What this thread logs, until the guard is dropped.
pub(super) fn listen() -> (Buffer, DefaultGuard) {
    enable_all_lines();
    let buffer = Buffer::default();
    let subscriber = subscriber(Format::Json, "info", buffer.clone());
    (buffer, tracing::subscriber::set_default(subscriber))
}

/// The lines with this message, each a JSON object.
fn lines(buffer: &Buffer, message: &str) -> Vec<Value> {
    let text = buffer.text();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.filter(|line: &Value| line["message"] == message).collect()
}

/// Whether a line, or a span around it, has this value somewhere.
fn says(line: &Value, value: &str) -> bool {
    line.to_string().contains(value)
}

fn push(generation: i64) -> Value {
    json!({
        "message": {
            "messageId": "2070443601311540", "orderingKey": "orders\u{1b}[31m",
            "attributes": {
                "eventType": "OBJECT_FINALIZE", "bucketId": "data", "objectId": "in/a",
                "objectGeneration": generation.to_string(),
            },
        },
        "subscription": "projects/p/subscriptions/s", "deliveryAttempt": 37,
    })
}

#[tokio::test(start_paused = true)]
async fn an_events_settlement_names_its_message_its_delivery_and_its_ordering_key() {
    let (buffer, _logging) = listen();
    let world = answering([]).with(&["a"]);
    let generation = world.sim.objects("data")[0].generation;
    assert_eq!(post(&world, "/events", &[], push(generation)).await, 204);
    let settled = lines(&buffer, "object settled");
    assert_eq!(settled.len(), 1, "{}", buffer.text());
    for said in ["pubsub", "2070443601311540", "projects/p/subscriptions/s", "37", "orders"] {
        assert!(says(&settled[0], said), "{said} is missing in {}", settled[0]);
    }
    assert!(!buffer.text().contains('\u{1b}'), "what a sender chooses is escaped");
}

#[tokio::test(start_paused = true)]
async fn what_is_ignored_or_malformed_is_counted_and_names_its_message() {
    let (buffer, _logging) = listen();
    let world = answering([]);
    let mut elsewhere = push(7);
    elsewhere["message"]["attributes"]["bucketId"] = "other".into();
    let mut deleted = push(7);
    deleted["message"]["attributes"]["eventType"] = "OBJECT_DELETE".into();
    let mut malformed = push(7);
    malformed["message"]["attributes"]["objectGeneration"] = "-7".into();
    let routes = crate::trigger::routes(&world.poller);
    for body in [&elsewhere, &elsewhere, &deleted, &malformed] {
        let request = Request::post("/events").body(Body::from(body.to_string()));
        routes.clone().oneshot(request.unwrap()).await.unwrap();
    }
    for (message, count) in [
        ("ignored: not in this inbox", 2),
        ("ignored: another kind of event", 1),
        ("refused an event that cannot be read", 1),
    ] {
        let lines = lines(&buffer, message);
        assert_eq!(lines.len(), count, "{message}: {}", buffer.text());
        let last = lines.last().unwrap();
        assert_eq!(last["so_far"], count, "{last}");
        assert!(says(last, "2070443601311540"), "{last}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_fails_is_in_the_log_with_its_method_path_and_status() {
    let (buffer, _logging) = listen();
    let world = answering([("a", Answer::status(Code::Unavailable, "wait"))]).with(&["a"]);
    let named = json!({ "bucket": "data", "name": "in/a" });
    let status = post(&world, "/process", &[], named.clone()).await;
    assert_eq!(status, 503);
    assert_eq!(post(&world, "/process", &[], json!([])).await, 400);
    assert_eq!(post(&world, "/events", &[], json!([])).await, 400);
    let lines =
        [lines(&buffer, "request failed"), lines(&buffer, "refused an event that cannot be read")];
    let requests: Vec<_> = lines.concat().iter().map(|line| line["httpRequest"].clone()).collect();
    let request = |path: &str, status: u16| json!({ "requestMethod": "POST", "requestUrl": path, "status": status });
    let expected = [request("/process", 503), request("/process", 400), request("/events", 400)];
    assert_eq!(requests, expected, "{}", buffer.text());
    let reason = lines[0][0]["reason"].as_str().unwrap();
    assert!(reason.contains("wait"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn of_many_requests_that_cannot_be_read_a_few_a_second_are_logged_and_the_others_counted() {
    for (path, headers, counted) in [
        ("/poll", &[("content-encoding", "gzip")][..], "more requests failed"),
        ("/process", &[], "more requests failed"),
        ("/events", &[], "more events were refused"),
    ] {
        let (buffer, _logging) = listen();
        let world = answering([]);
        let routes = crate::trigger::routes(&world.poller);
        for _ in 0..100 {
            let mut request = Request::post(path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let answer =
                routes.clone().oneshot(request.body(Body::from("[")).unwrap()).await.unwrap();
            assert!(answer.status().is_client_error());
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(buffer.text().lines().count(), 6, "{path}: {}", buffer.text());
        assert_eq!(lines(&buffer, counted)[0]["count"], 95, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_names_the_job_that_asked_for_it() {
    let (buffer, _logging) = listen();
    let world = answering([]);
    let headers = [
        ("x-cloudscheduler-jobname", "every-minute"),
        ("x-cloudscheduler-scheduletime", "2019-10-12T07:20:50.52Z"),
    ];
    assert_eq!(post(&world, "/poll", &headers, json!({})).await, 200);
    let started = lines(&buffer, "poll started");
    assert!(says(&started[0], "every-minute") && says(&started[0], "2019-10-12T07:20:50.52Z"));
}

#[tokio::test(start_paused = true)]
async fn what_the_worker_says_of_an_accepted_object_is_in_its_line_escaped_and_bounded() {
    let (buffer, _logging) = listen();
    let mut response = ProcessResponse {
        summary: "10 days\u{1b}[31m\nnothing".into(),
        ..ProcessResponse::default()
    };
    for n in 0..100 {
        let (name, value) = (format!("label {n:02}\u{202e}"), "x\r\n".repeat(1_000));
        response.labels.insert(name, value);
    }
    let world = answering([("a", Answer::ok(response))]).with(&["a", "b"]);
    world.poll_all().await;
    let settled = lines(&buffer, "object settled");
    assert_eq!(settled.len(), 2, "{}", buffer.text());
    let of = |object: &str| {
        let line = settled.iter().find(|line| line["object"] == object);
        let line = line.unwrap();
        (line["summary"].clone(), line["labels"].clone())
    };
    let (summary, labels) = of("gs://data/in/a");
    assert_eq!(summary, "10 days\\u{1b}[31m\\nnothing");
    let labels = labels.as_str().unwrap();
    assert!(labels.starts_with("\"label 00\\u{202e}\"=x\\r\\nx"), "{labels}");
    assert!(labels.ends_with(" and 84 more") && labels.len() < 8_192, "{labels}");
    assert!(!labels.contains(char::is_control));
    // What has nothing to say takes no room.
    assert_eq!(of("gs://data/in/b"), (Value::Null, Value::Null));
}

const LEFT_OUT: &str = "filters leave out every object of the inbox: nothing is passed to the worker; check them if you expect \
                        files to be processed";

#[tokio::test(start_paused = true)]
async fn a_poll_that_skips_everything_says_so_once_until_a_file_is_found_again() {
    let (buffer, _logging) = listen();
    let world = super::world::world_with(Script::default(), "in/", |config| {
        config.matching = Some("*.csv".parse().unwrap());
        config.exclude = Some("tmp*".parse().unwrap());
        config.skip_empty = true;
    });
    let said = || lines(&buffer, LEFT_OUT).len();
    world.poll_all().await;
    assert_eq!(said(), 0, "an empty inbox is no mistake");
    world.upload(&["a.CSV", "b.txt", "tmp.csv"]);
    world.put(&["in/empty.csv"], "");
    for _ in 0..3 {
        world.poll_all().await;
        assert_eq!(said(), 1);
    }
    let line = &lines(&buffer, LEFT_OUT)[0];
    assert_eq!(line["severity"], "WARNING");
    assert_eq!(
        line["filters"],
        "2 not matched by BRIGADE_MATCH=*.csv; 1 excluded by BRIGADE_EXCLUDE=tmp*; 1 empty, by BRIGADE_SKIP_EMPTY=true"
    );
    world.upload(&["c.csv"]);
    world.poll_all().await;
    assert_eq!(said(), 1, "a file was found");
    world.poll_all().await;
    assert_eq!(said(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_waits_or_was_never_a_file_is_no_reason_to_say_that_filters_leave_out_everything() {
    let (buffer, _logging) = listen();
    let world = super::world::world_with(Script::default(), "", |config| {
        config.matching = Some("**/*.csv".parse().unwrap());
    });
    world.put(&[".brigade/x", "processed/x", "failed/x", "_temporary/x"], "1");
    world.poll_all().await;
    world.put(&["x.txt", "held.csv"], "1");
    world.sim.set_temporary_hold("data", "held.csv", true).unwrap();
    world.poll_all().await;
    let part = PollRequest { prefix: "x".into(), ..PollRequest::default() };
    world.poll(part).await;
    assert_eq!(lines(&buffer, LEFT_OUT).len(), 0, "{}", buffer.text());
}

#[tokio::test(start_paused = true)]
async fn the_line_of_a_dry_run_says_so_for_the_alert_on_missing_polls() {
    let (buffer, _listening) = listen();
    let world = answering([]);
    world.poll(request(|request| request.dry_run = true)).await;
    world.poll_all().await;
    let lines = lines(&buffer, "poll finished");
    assert_eq!(lines.iter().map(|line| &line["dry_run"]).collect::<Vec<_>>(), [true, false]);
    let alerts = include_str!("../../../../deploy/terraform/alerts.tf");
    assert!(alerts.contains("AND NOT jsonPayload.dry_run=true"));
}
