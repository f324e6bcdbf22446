//! Storage that fails the worker, over real sockets and the official client: what the worker returns about it.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, http::Request};
use brigade_emulator::{
    Emulator,
    storage::{Fault, Kind, Operation},
};
use brigade_storage::Location;
use brigade_worker::{Outcome, WorkerSettings, exec::ExecProcessor};
use futures::future::join_all;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::harness::{System, connect, loopback, scripted};

/// More than a worker's calls.
const ALWAYS: u64 = 100;

/// Status, `Retry-After` and body of a worker whose program copies its file, when storage has this fault.
async fn answer(operation: Operation, fault: Fault) -> (u16, Option<String>, Value) {
    let builder = Emulator::builder().bucket("data");
    let emulator = builder.start(loopback().await).await.unwrap();
    let generation = emulator.storage().put("in/a", "content").unwrap();
    let program = r#"sh -c 'cat "$1" > "$OUTPUT_DIR/copy"' sh"#;
    let settings =
        WorkerSettings { output: Some(Location::new("data", "out/")), ..WorkerSettings::default() };
    let processor = ExecProcessor::new(program.parse().unwrap());
    let store = Arc::new(connect(&emulator).await);
    let worker = brigade_worker::routes(processor, store, &settings);
    let met = emulator.storage().fault(operation, fault);
    let body = json!({"bucket": "data", "name": "in/a", "generation": generation.to_string()});
    let request = Request::post("/process").body(Body::from(body.to_string())).unwrap();
    let response = worker.oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    assert!(met.count() > 0, "no call met the fault");
    assert_eq!(emulator.storage().list("out/").unwrap().len(), 0);
    let pause = head.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (head.status.as_u16(), pause, serde_json::from_slice(&body).unwrap())
}

/// Status and reason, which a poller tells from an attempt.
async fn costs_no_attempt(operation: Operation, fault: Fault, pause: Option<&str>) {
    let shown = format!("{operation:?} {fault:?}");
    let (status, found, body) = answer(operation, fault).await;
    assert_eq!(body["reason"], "STORAGE_UNAVAILABLE", "{shown}: {body}");
    assert_eq!((status, found.as_deref()), (503, pause), "{shown}");
}

const PASSING: [Kind; 6] = [
    Kind::RequestTimeout,
    Kind::TooManyRequests,
    Kind::Internal,
    Kind::BadGateway,
    Kind::Unavailable,
    Kind::DeadlineExceeded,
];

#[tokio::test]
async fn storage_that_fails_the_workers_reads_costs_no_attempt() {
    for operation in [Operation::Read, Operation::Get] {
        let faults = PASSING.map(Fault::before).into_iter();
        let faults = faults.chain([Fault::reset_before(), Fault::cut()]);
        join_all(faults.map(|fault| costs_no_attempt(operation, fault.times(ALWAYS), None))).await;
    }
}

#[tokio::test]
async fn one_400_or_416_to_the_workers_read_costs_no_attempt() {
    for kind in [Kind::Invalid, Kind::Range] {
        costs_no_attempt(Operation::Read, Fault::before(kind), None).await;
    }
}

#[tokio::test]
async fn storage_that_fails_the_workers_output_costs_no_attempt() {
    let faults = PASSING.map(Fault::before).into_iter().chain([Fault::reset_before()]);
    join_all(faults.map(|fault| costs_no_attempt(Operation::Insert, fault.times(ALWAYS), None)))
        .await;
}

#[tokio::test]
async fn the_pause_that_storage_asks_for_is_passed_on() {
    let busy = Fault::before(Kind::TooManyRequests).retry_after(Duration::from_secs(7));
    costs_no_attempt(Operation::Insert, busy, Some("7")).await;
}

#[tokio::test]
async fn a_400_to_the_workers_output_names_the_setting() {
    let (status, _, body) = answer(Operation::Insert, Fault::before(Kind::Invalid)).await;
    assert_eq!((status, &body["reason"]), (403, &json!("WORKER_MISCONFIGURED")), "{body}");
    let error = body["error"].as_str().unwrap();
    assert!(
        error.contains("BRIGADE_OUTPUT") && error.contains("gs://data/out/in/a/copy"),
        "{error}"
    );
}

#[tokio::test]
async fn one_400_to_the_workers_read_fails_no_file() {
    let reads = scripted(|job| {
        Box::pin(async {
            let content = job.bytes(9).await?;
            Ok(Outcome::summary(String::from_utf8_lossy(&content)))
        })
    });
    let system = System::with_processor(reads).await;
    system.upload("a", "x");
    let met = system.fault(Operation::Read, Fault::before(Kind::Invalid));
    system.poll().await.unwrap();
    assert_eq!(met.count(), 1);
    assert_ne!(system.names(), ["failed/a"]);
}
