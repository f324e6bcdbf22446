//! A worker that is not there, or stands still, costs no file.

use brigade_worker::Outcome;
use tonic::Code;

use crate::harness::{System, accepting, loopback, scripted, url};

#[tokio::test]
async fn a_stopped_worker_leaves_every_file_in_the_inbox() {
    let mut system = System::with_processor(accepting()).await;
    system.upload("before", "x");
    system.poll().await.unwrap();
    system.stop_worker().await;
    system.upload_all(&["a", "b", "c"]);
    system.poll_fails(Code::Unavailable, "WORKER_URL").await;
    let names = ["incoming/a", "incoming/b", "incoming/c", "processed/before"];
    assert_eq!(system.names(), names);
}

#[tokio::test]
async fn a_port_without_a_listener_is_not_the_files_fault() {
    let system = System::with_worker_at(url(&loopback().await)).await;
    system.upload("a", "x");
    system.poll_fails(Code::Unavailable, "cannot connect").await;
    assert_eq!(system.names(), ["incoming/a"]);
}

#[tokio::test]
async fn a_panic_in_the_worker_fails_its_file_and_no_other() {
    let system = System::with_processor(scripted(|job| {
        Box::pin(async move {
            assert!(job.file_name() != "bomb", "boom at line 7");
            Ok(Outcome::default())
        })
    }))
    .await;
    system.upload_all(&["bomb", "calm"]);
    system.poll().await.unwrap();
    assert_eq!(system.names(), ["failed/bomb", "processed/calm"]);
    assert!(system.metadata_of("failed/bomb").await["brigade-reason"].contains("boom at line 7"));
}
