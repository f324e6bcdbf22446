//! A worker's process that dies: by one file, and by a restart.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use brigade_emulator::storage::Operation;

use crate::{
    google::{BUCKET, Google},
    process::Process,
};

/// Ends the worker itself at a file that begins with `poison`, as the kernel does when memory is short.
const POISONED: &str =
    r#"sh -c 'read line < "$1"; case $line in poison*) kill -9 $PPID;; esac' sh {}"#;

/// Takes a moment.
const SLOW: &str = "sh -c 'sleep 0.2' sh {}";

/// How long a dead worker takes until it is back.
const RESTART: Duration = Duration::from_secs(1);

fn lay(google: &Google, kind: &str, count: usize) {
    for n in 0..count {
        let name = format!("in/{kind}{n:03}.csv");
        google.emulator.storage().put(&name, format!("{kind}\n")).unwrap();
    }
}

/// Starts the worker again at its address whenever it has ended, for ever.
async fn restart(google: &Google, mut worker: Process, address: SocketAddr, ends: &AtomicUsize) {
    loop {
        worker.ended().await;
        ends.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(RESTART).await;
        (worker, _) = google.worker_at(POISONED, address.port()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_ends_the_workers_process_delays_no_other_and_ends_in_failed() {
    let google = Google::start().await;
    lay(&google, "a", 100);
    lay(&google, "poison", 1);
    lay(&google, "z", 100);
    let (worker, address) = google.worker(POISONED).await;
    let (poller, polled_at) = google.poller_with(address, &[]).await;
    let ends = AtomicUsize::new(0);
    let polls = async {
        for polls in 1.. {
            let answer = google.poll(polled_at).await.unwrap();
            let processed = google.names(BUCKET, "processed/").len();
            println!("poll {polls}: {processed} processed, {answer:?}");
            assert!(polls < 3 || processed == 200, "{processed}: {}", poller.log());
            if google.names(BUCKET, "in/").is_empty() {
                break;
            }
            assert!(polls < 8, "it stays: {}", poller.log());
        }
    };
    tokio::select! {
        () = restart(&google, worker, address, &ends) => {}
        () = polls => {}
    }
    assert_eq!(google.names(BUCKET, "failed/"), ["failed/poison000.csv"]);
    assert_eq!(google.names(BUCKET, "processed/").len(), 200);
    let failed = google.emulator.storage().get("failed/poison000.csv").unwrap().unwrap();
    let reason = &failed.attributes.metadata["brigade-reason"];
    assert!(reason.contains("the worker's process or its connection ended"), "{reason}");
    let ends = ends.into_inner();
    assert!((5..20).contains(&ends), "its calls ended {ends} processes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_restarted_once_costs_no_poll_its_files() {
    let google = Google::start().await;
    lay(&google, "good", 300);
    let (mut worker, address) = google.worker(SLOW).await;
    let (poller, polled_at) = google.poller_with(address, &[]).await;
    let moved = || google.emulator.storage().calls().count(Operation::Move);
    let restart = async {
        // By then the calls in flight have grown to 32.
        while moved() < 100 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        worker.kill();
        tokio::time::sleep(RESTART).await;
        google.worker_at(SLOW, address.port()).await
    };
    let (answer, _worker) = tokio::join!(google.poll(polled_at), restart);
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.reason()), (200, "END_REASON_COMPLETE"), "{}", poller.log());
    assert_eq!(google.names(BUCKET, "processed/").len(), 300);
    assert_eq!(google.names(BUCKET, "failed/").len(), 0);
}
