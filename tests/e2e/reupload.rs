//! A file that is uploaded again while its first version is processed.

use std::sync::Arc;

use brigade_proto::v1::Settlement;
use brigade_worker::Outcome;
use tokio::sync::Semaphore;

use crate::harness::{System, accepting, scripted};

#[tokio::test]
async fn a_file_uploaded_again_while_it_is_processed_survives_and_is_processed_next() {
    let (entered, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (inside, gate) = (entered.clone(), leave.clone());
    let system = System::with_processor(scripted(move |job| {
        let (inside, gate) = (inside.clone(), gate.clone());
        Box::pin(async move {
            let content = job.bytes(1024).await?;
            inside.add_permits(1);
            gate.acquire().await.unwrap().forget();
            Ok(Outcome::summary(String::from_utf8_lossy(&content)))
        })
    }))
    .await;
    system.upload("night.csv", "first");
    let upload_again = async {
        entered.acquire().await.unwrap().forget();
        system.upload("night.csv", "second");
        leave.add_permits(2);
    };
    let (polled, ()) = tokio::join!(system.poll(), upload_again);
    assert_eq!(
        polled.unwrap().outcomes(),
        [("incoming/night.csv".into(), Settlement::Superseded)]
    );
    assert_eq!(system.names(), ["incoming/night.csv"]);
    assert_eq!(system.content("incoming/night.csv"), "second");

    let next = system.poll().await.unwrap();
    assert_eq!(
        next.outcomes(),
        [("incoming/night.csv".into(), Settlement::Processed)]
    );
    assert_eq!(next.settled[0].summary, "second");
    assert_eq!(system.content("processed/night.csv"), "second");
}

#[tokio::test]
async fn a_file_of_a_name_that_was_processed_before_lies_beside_it() {
    let system = System::with_processor(accepting()).await;
    system.upload("night.csv", "monday");
    system.poll().await.unwrap();
    let generation = system.upload("night.csv", "tuesday");
    system.poll().await.unwrap();
    assert_eq!(system.content("processed/night.csv"), "monday");
    assert_eq!(
        system.content(&format!("processed/night.csv.{generation}")),
        "tuesday"
    );
}
