//! `POST /poll`, for callers that speak no gRPC.

use brigade_worker::{Outcome, ProcessError};
use serde_json::Value;

use crate::harness::{CALLER, System, accepting, front_end, loopback, scripted, url};

async fn post(system: &System, body: &'static str) -> (u16, Option<String>, Value) {
    let answer = reqwest::Client::new()
        .post(system.poller.join("poll").unwrap())
        .bearer_auth(system.token(CALLER))
        .body(body)
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let retry_after = answer.headers().get("retry-after");
    let retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
    (status, retry_after, answer.json().await.unwrap())
}

/// The error names this.
fn names(body: &Value, words: &str) {
    assert!(body["error"].as_str().unwrap().contains(words), "{body}");
}

#[tokio::test]
async fn an_empty_body_polls_everything_and_answers_the_counts() {
    let system = System::with_processor(scripted(|job| {
        Box::pin(async move {
            match job.file_name() {
                "bad" => Err(ProcessError::refuse("no")),
                _ => Ok(Outcome::default()),
            }
        })
    }))
    .await;
    system.upload_all(&["a", "bad", "c"]);
    let (status, _, body) = post(&system, "").await;
    assert_eq!(status, 200);
    assert_eq!(body["counts"]["processed"], "2");
    assert_eq!(body["counts"]["failed"], "1");
    assert_eq!(body["reason"], "END_REASON_COMPLETE");
}

#[tokio::test]
async fn a_request_in_the_body_is_honoured() {
    let system = System::with_processor(accepting()).await;
    system.upload("a", "x");
    let (status, _, body) = post(&system, r#"{"dryRun": true}"#).await;
    assert_eq!((status, &body["counts"]["found"]), (200, &Value::from("1")));
    assert_eq!(system.names(), ["incoming/a"]);
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused_and_loses_nothing() {
    let system = System::with_processor(accepting()).await;
    system.upload("a", "x");
    for body in
        ["{", "[]", r#"{"maxObjects": "many"}"#, r#"{"maxObjects": -1}"#, r#"{"noSuchField": 1}"#]
    {
        let (status, _, answer) = post(&system, body).await;
        assert_eq!(status, 400, "{body}");
        if !body.contains("-1") {
            names(&answer, "PollRequest");
        }
    }
    assert_eq!(system.names(), ["incoming/a"]);
}

#[tokio::test]
async fn wiring_that_needs_a_fix_is_an_error_for_the_trigger() {
    let system = System::with_worker_at(front_end(404).await).await;
    system.upload("a", "x");
    system.upload("b", "x");
    let (status, retry_after, body) = post(&system, "{}").await;
    assert_eq!((status, retry_after), (500, None));
    names(&body, "WORKER_URL");
}

#[tokio::test]
async fn a_worker_that_is_away_is_a_503_that_asks_the_trigger_to_come_again() {
    let mut system = System::with_processor(accepting()).await;
    system.upload("a", "x");
    system.stop_worker().await;
    let (status, _, body) = post(&system, "{}").await;
    assert_eq!(status, 503, "{body}");
    assert_eq!(system.names(), ["incoming/a"]);
}

#[tokio::test]
async fn storage_that_is_missing_is_an_error_for_the_trigger() {
    let system = System::without_bucket().await;
    let (status, _, body) = post(&system, "{}").await;
    assert_eq!(status, 500);
    names(&body, "no such bucket");
}

#[tokio::test]
async fn what_heals_with_time_asks_the_trigger_to_come_again() {
    let system = System::with_worker_at(url(&loopback().await)).await;
    system.upload("a", "x");
    let (status, retry_after, body) = post(&system, "{}").await;
    assert_eq!((status, retry_after.as_deref()), (503, Some("30")));
    names(&body, "WORKER_URL");
    assert_eq!(system.names(), ["incoming/a"]);
}
