//! A destination that cannot be written stops the poll, and nothing is half moved.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use brigade_emulator::storage::{Fault, Kind, Operation};
use brigade_storage::Location;
use brigade_worker::{Outcome, Processor};
use tonic::Code;

use crate::harness::{BUCKET, System, accepting, scripted};

const FILES: [&str; 3] = ["incoming/a", "incoming/b", "incoming/c"];

/// Accepts everything, and counts.
fn counting(calls: &Arc<AtomicUsize>) -> impl Processor + use<> {
    let calls = calls.clone();
    scripted(move |_| {
        calls.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(Outcome::default()) })
    })
}

/// Three files that stay where they are, as they were uploaded; the error says this.
async fn stops(system: &System, words: &str) {
    for name in FILES {
        let below = name.strip_prefix("incoming/").unwrap();
        system.upload(below, below);
    }
    system.poll_fails(Code::FailedPrecondition, words).await;
    assert_eq!(system.names(), FILES);
    for name in FILES {
        assert!(name.ends_with(&system.content(name)));
    }
}

/// Everything is moved by the next poll.
async fn goes_on(system: &System, bucket: &str) {
    system.poll().await.unwrap();
    assert_eq!(system.bucket().list("incoming/").unwrap(), []);
    let bucket = system.emulator.storage().bucket(bucket);
    let there = bucket.list("processed/").unwrap();
    let names: Vec<_> = there.iter().map(|object| object.name.as_str()).collect();
    assert_eq!(names, ["processed/a", "processed/b", "processed/c"]);
}

/// Makes this bucket, as an operator does.
async fn make(system: &System, bucket: &str) {
    let url = system.emulator.url().join("storage/v1/b?project=p");
    let made = reqwest::Client::new()
        .post(url.unwrap())
        .header("content-type", "application/json")
        .body(format!(r#"{{"name":"{bucket}"}}"#));
    assert!(made.send().await.unwrap().status().is_success());
}

/// A poller whose processed files go to this bucket, and how often its worker is called.
async fn moving_to(bucket: &str) -> (System, Arc<AtomicUsize>) {
    let calls = Arc::default();
    let system = System::tuned(counting(&calls), |_, settings| {
        settings.config.processed = Location::new(bucket, "processed/");
    });
    (system.await, calls)
}

#[tokio::test]
async fn a_destination_bucket_that_is_missing_stops_the_poll_until_it_is_made() {
    let (system, calls) = moving_to("nowhere").await;
    stops(&system, "to gs://nowhere/processed/").await;
    make(&system, "nowhere").await;
    goes_on(&system, "nowhere").await;
    // What was accepted before is not processed again.
    assert_eq!(calls.load(Ordering::SeqCst), FILES.len());
}

#[tokio::test]
async fn a_destination_bucket_that_is_forbidden_stops_the_poll_until_the_role_is_granted() {
    let (system, calls) = moving_to("elsewhere").await;
    make(&system, "elsewhere").await;
    let forbidden = Fault::before(Kind::PermissionDenied).times(3);
    let met = system.fault(Operation::Rewrite, forbidden);
    stops(&system, "to gs://elsewhere/processed/").await;
    assert!((1..=3).contains(&met.count()));
    // The role is granted.
    while met.count() < 3 {
        let _ = system.poll().await;
    }
    goes_on(&system, "elsewhere").await;
    assert_eq!(calls.load(Ordering::SeqCst), FILES.len());
}

#[tokio::test]
async fn a_destination_in_the_same_bucket_that_is_forbidden_stops_the_poll() {
    let system = System::with_processor(accepting()).await;
    let forbidden = Fault::before(Kind::PermissionDenied).times(3);
    let met = system.fault(Operation::Move, forbidden);
    stops(&system, "permission denied").await;
    while met.count() < 3 {
        let _ = system.poll().await;
    }
    goes_on(&system, BUCKET).await;
}
