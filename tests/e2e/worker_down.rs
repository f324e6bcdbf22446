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
    for name in ["a", "b", "c"] {
        system.upload(name, "x");
    }
    let status = system.poll().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("WORKER_URL"), "{status}");
    assert_eq!(
        system.names(),
        ["incoming/a", "incoming/b", "incoming/c", "processed/before"]
    );
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_not_the_files_fault() {
    let listener = loopback().await;
    let closed = url(&listener);
    drop(listener);
    let system = System::with_worker_at(closed).await;
    system.upload("a", "x");
    let status = system.poll().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("cannot connect"), "{status}");
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
    system.upload("bomb", "x");
    system.upload("calm", "x");
    system.poll().await.unwrap();
    assert_eq!(system.names(), ["failed/bomb", "processed/calm"]);
    assert!(system.metadata_of("failed/bomb").await["brigade-reason"].contains("boom at line 7"));
}
