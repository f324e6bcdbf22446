//! Files are processed, and go where their outcome says.

use brigade_proto::v1::Settlement;
use brigade_worker::{Outcome, ProcessError};

use crate::harness::{System, accepting, scripted};

#[tokio::test]
async fn files_go_where_the_worker_says_byte_for_byte() {
    let system = System::with_processor(scripted(|job| {
        Box::pin(async move {
            let content = job.bytes(1024).await?;
            if content.starts_with(b"bad") {
                return Err(ProcessError::refuse("line 1: bad"));
            }
            Ok(Outcome::summary(format!("{} bytes", content.len())))
        })
    }))
    .await;
    system.upload("a.csv", "good\r\n\0");
    system.upload("deep/b c;'d'.csv", "bad");

    let (processed, failed) = (Settlement::Processed, Settlement::Failed);
    let outcomes = [("a.csv", processed), ("deep/b c;'d'.csv", failed)];
    system.poll_settles(&outcomes).await;
    let names = ["failed/deep/b c;'d'.csv", "processed/a.csv"];
    assert_eq!(system.names(), names);
    assert_eq!(system.content("processed/a.csv"), "good\r\n\0");
    let metadata = system.metadata_of("failed/deep/b c;'d'.csv").await;
    assert_eq!(metadata["brigade-reason"], "line 1: bad");
    assert_eq!(metadata["brigade-status"], "failed");

    let again = system.poll().await.unwrap();
    assert!(again.settled.is_empty());
}

#[tokio::test]
async fn a_processed_file_costs_one_class_a_operation() {
    let system = System::with_processor(accepting()).await;
    for n in 0..50 {
        system.upload(&format!("{n:02}"), "x");
    }
    system.emulator.storage().reset_calls();
    system.poll().await.unwrap();
    let calls = system.emulator.storage().calls();
    assert_eq!(
        (calls.class_a(), calls.class_b()),
        (52, 1),
        "the lease, one listing and fifty moves; and a look at the brake: {calls:?}"
    );
}
