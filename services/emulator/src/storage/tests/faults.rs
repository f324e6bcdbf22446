use std::time::Duration;

use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::storage::{Fault, Operation};
use brigade_model::Kind;

#[tokio::test]
async fn an_error_before_applying_applies_nothing_and_counts() {
    let emulator = start().await;
    let mut client = grpc(&emulator).await;
    let generation = emulator.storage().put("a", "1").unwrap();
    let fault = Fault::before(Kind::TooManyRequests).times(2).retry_after(Duration::from_secs(7));
    let met = emulator.storage().fault(Operation::Move, fault);
    for _ in 0..2 {
        let refused = client.move_object(pinned_move("a", "b", generation)).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert_eq!(
            refused.get_details_retry_info().unwrap().retry_delay,
            Some(Duration::from_secs(7))
        );
    }
    assert_eq!(list(&mut client, "").await, ["a"]);
    client.move_object(pinned_move("a", "b", generation)).await.unwrap();
    assert_eq!(met.count(), 2);
    let calls = emulator.storage().calls();
    assert_eq!((calls.count(Operation::Move), calls.count(Operation::List)), (3, 1));
    assert_eq!((calls.class_a(), calls.class_b(), calls.total()), (4, 0, 4));
}

#[tokio::test]
async fn an_error_after_applying_loses_the_answer_alone() {
    let emulator = start().await;
    let mut client = grpc(&emulator).await;
    let generation = emulator.storage().put("a", "1").unwrap();
    let met = emulator.storage().fault(Operation::Move, Fault::after(Kind::Unavailable));
    let lost = client.move_object(pinned_move("a", "b", generation)).await.unwrap_err();
    assert_eq!((lost.code(), met.count()), (Code::Unavailable, 1));
    assert_eq!(list(&mut client, "").await, ["b"]);
    // A blind repetition finds nothing to move.
    let again = client.move_object(pinned_move("a", "b", generation)).await.unwrap_err();
    assert_eq!(again.code(), Code::NotFound);
}

#[tokio::test]
async fn a_cut_answer_breaks_off_in_the_middle() {
    let emulator = start().await;
    let mut client = grpc(&emulator).await;
    let generation = emulator.storage().put("a", "0123456789").unwrap();
    emulator.storage().fault(Operation::Read, Fault::cut());
    let mut download = http().get(url(&emulator, "/o/a?alt=media")).send().await.unwrap();
    assert_eq!(download.status(), 200);
    assert_eq!(download.chunk().await.unwrap().unwrap(), "01234");
    download.chunk().await.unwrap_err();

    emulator.storage().fault(Operation::Move, Fault::cut());
    client.move_object(pinned_move("a", "b", generation)).await.unwrap_err();
    assert_eq!(list(&mut client, "").await, ["b"]);
}

#[tokio::test]
async fn a_delayed_call_is_answered_late() {
    let emulator = start().await;
    emulator.storage().put("a", "1").unwrap();
    let mut client = grpc(&emulator).await;
    emulator.storage().fault(Operation::Get, Fault::delay(Duration::from_millis(50)));
    let begun = std::time::Instant::now();
    get(&mut client, "a").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn faults_of_the_json_api_are_googles_errors() {
    let emulator = start().await;
    let fault = Fault::before(Kind::Unavailable).retry_after(Duration::from_secs(3));
    emulator.storage().fault(Operation::Insert, fault);
    let upload = || http().post(upload_url(&emulator, "uploadType=media&name=a")).body("1").send();
    let refused = upload().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()),
        (503, "3")
    );
    let error: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(error["error"]["errors"][0]["reason"], "backendError");
    assert!(emulator.storage().get("a").unwrap().is_none());
    assert_eq!(upload().await.unwrap().status(), 200);
    emulator.storage().reset_calls();
    assert_eq!(emulator.storage().calls().total(), 0);
}
