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
fn counting(asked: &Arc<AtomicUsize>) -> impl Processor + use<> {
    let asked = asked.clone();
    scripted(move |_| {
        asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(Outcome::default()) })
    })
}

/// Three files that stay where they are, as they were uploaded; the error says this.
async fn stops(system: &System, words: &str) {
    for name in FILES {
        let below = name.strip_prefix("incoming/").unwrap();
        system.upload(below, below);
    }
    let error = system.poll().await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition, "{error}");
    assert!(error.message().contains(words), "{error}");
    assert_eq!(system.names(), FILES);
    for name in FILES {
        assert!(name.ends_with(&system.content(name)));
    }
}

/// Everything is moved by the next poll.
async fn goes_on(system: &System, bucket: &str) {
    system.poll().await.unwrap();
    assert_eq!(
        system
            .emulator
            .storage()
            .bucket(BUCKET)
            .list("incoming/")
            .unwrap(),
        []
    );
    let there = system
        .emulator
        .storage()
        .bucket(bucket)
        .list("processed/")
        .unwrap();
    let names: Vec<_> = there.iter().map(|object| object.name.as_str()).collect();
    assert_eq!(names, ["processed/a", "processed/b", "processed/c"]);
}

#[tokio::test]
async fn a_destination_bucket_that_is_missing_stops_the_poll_until_it_is_made() {
    let asked = Arc::default();
    let system = System::with_settings(counting(&asked), |settings| {
        settings.config.processed = Location::new("nowhere", "processed/");
    })
    .await;
    stops(&system, "to gs://nowhere/processed/").await;

    let url = system
        .emulator
        .url()
        .join("storage/v1/b?project=p")
        .unwrap();
    let made = reqwest::Client::new()
        .post(url)
        .body(r#"{"name":"nowhere"}"#);
    let made = made.header("content-type", "application/json").send().await;
    assert!(made.unwrap().status().is_success());
    goes_on(&system, "nowhere").await;
    // What was accepted before is not asked about again.
    assert_eq!(asked.load(Ordering::SeqCst), FILES.len());
}

#[tokio::test]
async fn a_destination_bucket_that_is_forbidden_stops_the_poll_until_the_role_is_granted() {
    let asked = Arc::default();
    let system = System::with_settings(counting(&asked), |settings| {
        settings.config.processed = Location::new("elsewhere", "processed/");
    })
    .await;
    let url = system
        .emulator
        .url()
        .join("storage/v1/b?project=p")
        .unwrap();
    let made = reqwest::Client::new()
        .post(url)
        .body(r#"{"name":"elsewhere"}"#);
    let made = made.header("content-type", "application/json").send().await;
    assert!(made.unwrap().status().is_success());
    let storage = system.emulator.storage();
    let forbidden = Fault::before(Kind::PermissionDenied).times(3);
    let met = storage.fault(Operation::Rewrite, forbidden);
    stops(&system, "to gs://elsewhere/processed/").await;
    assert!((1..=3).contains(&met.count()));
    // The role is granted.
    while met.count() < 3 {
        let _ = system.poll().await;
    }
    goes_on(&system, "elsewhere").await;
    assert_eq!(asked.load(Ordering::SeqCst), FILES.len());
}

#[tokio::test]
async fn a_destination_in_the_same_bucket_that_is_forbidden_stops_the_poll() {
    let system = System::with_processor(accepting()).await;
    let storage = system.emulator.storage();
    let forbidden = Fault::before(Kind::PermissionDenied).times(3);
    let met = storage.fault(Operation::Move, forbidden);
    stops(&system, "permission denied").await;
    while met.count() < 3 {
        let _ = system.poll().await;
    }
    goes_on(&system, BUCKET).await;
}
