use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use http::HeaderMap;
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
};

use super::*;
use crate::Emulator;

const ACCOUNT: &str = "scheduler@brigade-dev.iam.gserviceaccount.com";

/// A service that answers with a status and reports what came.
struct Target {
    url: Url,
    calls: UnboundedReceiver<(HeaderMap, Bytes)>,
    reports: UnboundedSender<(HeaderMap, Bytes)>,
    status: Arc<AtomicU16>,
}

#[derive(Clone)]
struct Answers {
    calls: UnboundedSender<(HeaderMap, Bytes)>,
    status: Arc<AtomicU16>,
}

async fn target(status: u16) -> Target {
    let (listener, target) = listening(status).await;
    serve(listener, &target);
    target
}

/// A target that does not answer yet.
async fn listening(status: u16) -> (TcpListener, Target) {
    let (reports, calls) = unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/poll", listener.local_addr().unwrap()).parse().unwrap();
    let status = Arc::new(AtomicU16::new(status));
    (listener, Target { url, calls, reports, status })
}

fn serve(listener: TcpListener, target: &Target) {
    let answers = Answers { calls: target.reports.clone(), status: target.status.clone() };
    let answer = async |State(answers): State<Answers>, headers: HeaderMap, body: Bytes| {
        answers.calls.send((headers, body)).unwrap();
        StatusCode::from_u16(answers.status.load(Ordering::SeqCst)).unwrap()
    };
    let router = Router::new().route("/poll", post(answer)).with_state(answers);
    tokio::spawn(async move { axum::serve(listener, router).await });
}

async fn google() -> Emulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Emulator::builder()
        .bucket("some-bucket")
        .service_account(ACCOUNT)
        .start(listener)
        .await
        .unwrap()
}

fn schedule(
    target: &Target,
    every: Duration,
    google: &Emulator,
    stop: &CancellationToken,
) -> JoinHandle<()> {
    let job = Scheduler {
        name: "poll".into(),
        url: target.url.clone(),
        body: serde_json::json!({"relist": true}),
        account: ACCOUNT.into(),
        audience: "https://poller.example".into(),
        every,
        retry: RetryConfig {
            retry_count: 2,
            min_backoff: Duration::from_millis(1),
            ..RetryConfig::default()
        },
    };
    tokio::spawn(job.run(google.identity().clone(), stop.clone()))
}

#[tokio::test]
async fn a_tick_is_a_call_of_cloud_scheduler_with_a_token() {
    let (google, mut target, stop) = (google().await, target(200).await, CancellationToken::new());
    let running = schedule(&target, Duration::from_millis(10), &google, &stop);
    let (headers, body) = target.calls.recv().await.unwrap();
    assert_eq!(body, r#"{"relist":true}"#);
    assert_eq!(headers["user-agent"], "Google-Cloud-Scheduler");
    assert_eq!(headers["x-cloudscheduler"], "true");
    assert_eq!(headers["x-cloudscheduler-jobname"], "poll");
    assert_eq!(headers["content-type"], "application/json");
    let time = headers["x-cloudscheduler-scheduletime"].to_str().unwrap();
    time.parse::<Timestamp>().unwrap();
    let token = headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    let claims: serde_json::Value = jsonwebtoken::dangerous::insecure_decode(token).unwrap().claims;
    assert_eq!(
        (claims["email"].as_str(), claims["aud"].as_str()),
        (Some(ACCOUNT), Some("https://poller.example"))
    );
    let (next, _) = target.calls.recv().await.unwrap();
    assert_ne!(next["x-cloudscheduler-scheduletime"], time, "the next tick has a time of its own");
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_tick_that_is_not_accepted_is_tried_again_with_the_same_time() {
    let (google, mut target, stop) = (google().await, target(503).await, CancellationToken::new());
    let running = schedule(&target, Duration::from_hours(1), &google, &stop);
    let (first, _) = target.calls.recv().await.unwrap();
    target.status.store(204, Ordering::SeqCst);
    let (second, _) = target.calls.recv().await.unwrap();
    let time = "x-cloudscheduler-scheduletime";
    assert_eq!(first[time], second[time]);
    stop.cancel();
    running.await.unwrap();
    assert!(target.calls.try_recv().is_err(), "what was accepted is not tried again");
}

#[tokio::test]
async fn a_tick_is_given_up_after_its_retries() {
    let (google, mut target, stop) = (google().await, target(500).await, CancellationToken::new());
    let running = schedule(&target, Duration::from_millis(20), &google, &stop);
    let mut times = Vec::new();
    for _ in 0..4 {
        let (headers, _) = target.calls.recv().await.unwrap();
        times.push(headers["x-cloudscheduler-scheduletime"].clone());
    }
    assert!(times[..3].iter().all(|time| *time == times[0]));
    assert_ne!(times[3], times[0]);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_target_that_hangs_up_is_tried_again() {
    let (google, stop) = (google().await, CancellationToken::new());
    let (listener, mut target) = listening(200).await;
    let running = schedule(&target, Duration::from_hours(1), &google, &stop);
    drop(listener.accept().await.unwrap());
    serve(listener, &target);
    target.calls.recv().await.unwrap();
    stop.cancel();
    running.await.unwrap();
}

#[test]
fn pauses_grow_as_documented() {
    let seconds = |retry: RetryConfig| -> Vec<u64> {
        (1..=8).map(|number| retry.pause(number).as_secs()).collect()
    };
    let documented = RetryConfig {
        min_backoff: Duration::from_secs(10),
        max_backoff: Duration::from_secs(300),
        max_doublings: 3,
        ..RetryConfig::default()
    };
    assert_eq!(seconds(documented), [10, 20, 40, 80, 160, 240, 300, 300]);
    assert_eq!(seconds(RetryConfig::default()), [5, 10, 20, 40, 80, 160, 320, 480]);
    let never = RetryConfig { max_doublings: 0, ..RetryConfig::default() };
    assert_eq!(seconds(never)[..3], [5, 10, 15]);
}

#[tokio::test]
async fn by_default_a_tick_that_fails_waits_for_the_next_one() {
    let (google, mut target, stop) = (google().await, target(503).await, CancellationToken::new());
    let job = Scheduler {
        name: "poll".into(),
        url: target.url.clone(),
        body: serde_json::json!({"relist": true}),
        account: ACCOUNT.into(),
        audience: "https://poller.example".into(),
        every: Duration::from_millis(20),
        retry: RetryConfig::default(),
    };
    let running = tokio::spawn(job.run(google.identity().clone(), stop.clone()));
    let time = "x-cloudscheduler-scheduletime";
    let (first, _) = target.calls.recv().await.unwrap();
    let (second, _) = target.calls.recv().await.unwrap();
    assert_ne!(first[time], second[time]);
    stop.cancel();
    running.await.unwrap();
}
