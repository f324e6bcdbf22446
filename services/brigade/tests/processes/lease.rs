//! What a killed poller leaves behind: a lease that has to end by itself.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use brigade_emulator::storage::{Fault, Operation};

use crate::google::{Google, PICKY};

const PROCESSED: &str = "gs://data/processed/";

/// A poller that is killed while it holds the lease.
async fn killed(google: &Google, worker: SocketAddr) {
    let (mut poller, address) = google.poller(worker, PROCESSED).await;
    google.emulator.storage().put("in/a", "good\n").unwrap();
    let slow = Fault::delay(Duration::from_mins(10));
    let met = google.emulator.storage().fault(Operation::Move, slow);
    let moving = async {
        while met.count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let poll = google.poll(address);
    tokio::pin!(poll);
    tokio::select! {
        answer = &mut poll => panic!("it was to hang: {answer:?}"),
        () = moving => {}
    }
    poller.kill();
    assert!(google.lease(), "a killed poller cannot give it back");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_poll_after_a_kill_leaves_the_inbox_to_the_lease() {
    let google = Google::start().await;
    let (_worker, worker) = google.worker(PICKY).await;
    killed(&google, worker).await;
    let (_poller, address) = google.poller(worker, PROCESSED).await;
    google.emulator.storage().reset_calls();
    let answer = google.poll(address).await.unwrap();
    assert_eq!((answer.status, answer.reason()), (200, "END_REASON_ALREADY_RUNNING"));
    assert_eq!(google.names("data", "in/"), ["in/a"]);
    assert_eq!(google.emulator.storage().calls().total(), 2);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the lease of a killed poller ends after 90 s; .ci/slow waits for it"]
async fn the_lease_of_a_killed_poller_is_taken_over_when_it_has_ended_and_not_before() {
    let google = Google::start().await;
    let (_worker, worker) = google.worker(PICKY).await;
    killed(&google, worker).await;
    let began = Instant::now();
    let (poller, address) = google.poller(worker, PROCESSED).await;
    loop {
        let answer = google.poll(address).await.unwrap();
        if answer.reason() != "END_REASON_ALREADY_RUNNING" {
            assert_eq!((answer.status, answer.reason()), (200, "END_REASON_COMPLETE"));
            break;
        }
        assert!(began.elapsed() < Duration::from_mins(5), "{}", poller.log());
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let after = began.elapsed();
    println!("taken over {} s after the kill", after.as_secs());
    assert!(after > Duration::from_mins(1), "its holder could still believe in it: {after:?}");
    assert_eq!(google.names("data", ""), ["processed/a"]);
}
