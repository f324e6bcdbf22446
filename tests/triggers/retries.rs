//! The answer to a queue when an object is not settled.

use crate::{
    caller::{Caller, obeying},
    harness::{System, accepting, front_end},
};

#[tokio::test]
async fn a_refused_object_is_settled_and_acknowledged() {
    let system = System::with_processor(obeying()).await;
    let generation = system.upload("bad", "x");
    let answer = Caller::new(&system).announce("bad", generation).await;
    assert_eq!(answer.status, 204);
    assert_eq!(system.names(), ["failed/bad"]);
    let metadata = system.metadata_of("failed/bad").await;
    assert_eq!(metadata["brigade-reason"], "line 2 is not a number");
}

#[tokio::test]
async fn a_worker_that_asks_for_time_makes_the_event_come_again_and_keeps_its_attempt() {
    let system = System::with_processor(obeying()).await;
    let generation = system.upload("later", "x");
    let caller = Caller::new(&system);
    let answer = caller.announce("later", generation).await;
    assert_eq!((answer.status, answer.retry_after), (503, Some(90)));
    assert!(answer.body.contains("loading"), "{}", answer.body);
    // A redelivery that comes too soon calls no worker, and returns the time that is left.
    let early = caller.announce("later", generation).await;
    assert_eq!(early.status, 503);
    assert!((80..=90).contains(&early.retry_after.unwrap()), "{early:?}");
    let metadata = system.metadata_of("incoming/later").await;
    assert_eq!(metadata["brigade-attempts"], "1");
}

#[tokio::test]
async fn a_worker_that_is_away_makes_the_event_come_again_and_costs_no_attempt() {
    let mut system = System::with_processor(accepting()).await;
    system.stop_worker().await;
    let generation = system.upload("a", "x");
    let caller = Caller::new(&system);
    for _ in 0..7 {
        let answer = caller.announce("a", generation).await;
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.retry_after.unwrap() >= 1);
    }
    assert_eq!(system.names(), ["incoming/a"]);
    assert_eq!(system.metadata_of("incoming/a").await.get("brigade-attempts"), None);
}

#[tokio::test]
async fn wiring_that_needs_a_fix_is_an_error_that_says_so() {
    for (status, hint) in [(403, "roles/run.invoker"), (404, "WORKER_URL")] {
        let system = System::with_worker_at(front_end(status).await).await;
        let caller = Caller::new(&system);
        let generation = system.upload("a", "x");
        assert_eq!(caller.announce("a", generation).await.status, 503, "it may be the file");
        let generation = system.upload("b", "x");
        let answer = caller.announce("b", generation).await;
        assert_eq!(answer.status, 500);
        assert!(answer.body.contains(hint), "{}", answer.body);
        assert_eq!(system.names(), ["incoming/a", "incoming/b"]);
    }
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_an_error_that_says_so() {
    let system = System::without_bucket().await;
    let attributes = serde_json::json!({
        "eventType": "OBJECT_FINALIZE", "bucketId": "no-such-bucket", "objectId": "incoming/a", "objectGeneration": "7",
    });
    let (headers, body) = crate::caller::wrapped(&serde_json::json!({"attributes": attributes}));
    let answer = Caller::new(&system).post("events", &headers, body).await;
    assert_eq!(answer.status, 500, "{}", answer.body);
    assert!(answer.body.contains("no such bucket"), "{}", answer.body);
}

#[tokio::test]
async fn a_storage_that_is_away_makes_the_event_come_again() {
    use brigade_emulator::storage::{Fault, Kind, Operation};
    let system = System::with_processor(accepting()).await;
    let generation = system.upload("a", "x");
    let caller = Caller::new(&system);
    let fault = Fault::before(Kind::Unavailable).times(100);
    system.emulator.storage().fault(Operation::Get, fault);
    let answer = caller.announce("a", generation).await;
    assert_eq!((answer.status, answer.retry_after), (503, Some(30)), "{}", answer.body);
    assert_eq!(system.names(), ["incoming/a"]);
}
