//! What a person moves back into the inbox is processed again, whatever is written on it.

use brigade_sim::Sim;
use brigade_storage::Object;

use super::{
    again::asking,
    named::{again, settlement},
    world::{World, archiving},
    *,
};
use crate::mark;

/// What is answered about `in/a`, in order, and OK after that.
fn first(answers: impl IntoIterator<Item = Answer>) -> Script {
    let answers = answers.into_iter().collect();
    Script { first: std::sync::Mutex::new([("a", answers)].into()), ..Script::default() }
}

fn refused() -> Answer {
    Answer::status(Code::InvalidArgument, "line 3: no")
}

/// As docs/RUNBOOK.md says.
fn move_back(sim: &Sim, bucket: &str, name: &str) {
    sim.carry((bucket, name), ("data", "in/a")).unwrap();
}

/// The keys of ours that are on the one object of a bucket.
fn marks(world: &World, bucket: &str) -> (String, Vec<String>) {
    let [Object { name, metadata, .. }] = &world.sim.objects(bucket)[..] else {
        panic!("{:?}", world.sim.objects(bucket));
    };
    (name.clone(), metadata.keys().cloned().collect())
}

#[tokio::test(start_paused = true)]
async fn a_failed_file_that_is_moved_back_is_failed_by_its_worker_alone() {
    let world = world(first([refused(), asking(Code::Unavailable, None)]));
    world.upload(&["a"]);
    assert_eq!(settlement(world.event("in/a").await), Settlement::Failed);
    move_back(&world.sim, "data", "failed/a");

    let wait = again(world.event("in/a").await);
    tokio::time::sleep(wait + Duration::from_secs(1)).await;
    assert_eq!(settlement(world.event("in/a").await), Settlement::Processed);
    assert_eq!(*world.worker.attempts.lock().unwrap(), [1, 1, 2]);
    assert_eq!(world.names(), ["processed/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_processed_file_that_is_moved_back_is_accepted_by_its_worker_alone() {
    let ok = Answer::ok(brigade_proto::v1::ProcessResponse::default());
    let world = archiving(first([ok, asking(Code::Unavailable, None), refused()]));
    world.upload(&["a"]);
    assert_eq!(settlement(world.event("in/a").await), Settlement::Processed);
    move_back(&world.sim, "archive", "processed/a");

    let wait = again(world.event("in/a").await);
    tokio::time::sleep(wait + Duration::from_secs(1)).await;
    assert_eq!(settlement(world.event("in/a").await), Settlement::Failed);
    let (name, marks) = marks(&world, "data");
    assert_eq!((world.asked(), &*name), (3, "failed/a"));
    assert!(!marks.contains(&mark::PROCESSED_AT.to_owned()), "{marks:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_file_that_is_moved_back_and_accepted_says_nothing_of_a_failure() {
    for world in [world(first([refused()])), archiving(first([refused()]))] {
        world.upload(&["a"]);
        world.poll_all().await;
        move_back(&world.sim, "data", "failed/a");
        world.poll_all().await;
        let bucket = &world.poller.instance.config.processed.bucket;
        let (name, marks) = marks(&world, bucket);
        assert_eq!(name, "processed/a");
        assert_eq!(marks, [mark::PROCESSED_AT, mark::SOURCE, mark::STATUS]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_gives_up_for_now_leaves_no_old_verdict_on_what_was_moved_back() {
    let world = world(first([refused(), asking(Code::Unavailable, Some(90))]));
    world.upload(&["a"]);
    world.poll_all().await;
    move_back(&world.sim, "data", "failed/a");
    assert_eq!(world.poll_all().await.settled[0].1, Settlement::Retry);
    let (_, marks) = marks(&world, "data");
    assert_eq!(marks, [mark::ATTEMPTS, mark::REASON, mark::RETRY_AT, mark::SOURCE]);
}
