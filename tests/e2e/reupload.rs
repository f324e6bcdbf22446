//! A file that is uploaded again while its first version is processed.

use brigade_proto::v1::Settlement;

use crate::harness::{System, accepting, held};

#[tokio::test]
async fn a_file_uploaded_again_while_it_is_processed_survives_and_is_processed_next() {
    let (processor, entered, leave) = held();
    let system = System::with_processor(processor).await;
    system.upload("night.csv", "first");
    let upload_again = async {
        entered.acquire().await.unwrap().forget();
        system.upload("night.csv", "second");
        leave.add_permits(2);
    };
    let superseded = [("night.csv", Settlement::Superseded)];
    tokio::join!(system.poll_settles(&superseded), upload_again);
    assert_eq!(system.names(), ["incoming/night.csv"]);
    assert_eq!(system.content("incoming/night.csv"), "second");

    let processed = [("night.csv", Settlement::Processed)];
    let next = system.poll_settles(&processed).await;
    assert_eq!(next.settled[0].summary, "second");
    assert_eq!(system.content("processed/night.csv"), "second");
}

#[tokio::test]
async fn a_file_of_a_name_that_was_processed_before_is_stored_beside_it() {
    let system = System::with_processor(accepting()).await;
    system.upload("night.csv", "monday");
    system.poll().await.unwrap();
    let generation = system.upload("night.csv", "tuesday");
    system.poll().await.unwrap();
    assert_eq!(system.content("processed/night.csv"), "monday");
    let beside = format!("processed/night.{generation}.csv");
    assert_eq!(system.content(&beside), "tuesday");
}
