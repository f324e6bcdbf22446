use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;

use super::*;
use brigade_storage::{
    NewObject,
    error::{Kind, Result},
    object::Metadata,
};

fn sim() -> Sim {
    Sim::new().with_bucket("b").with_bucket("c")
}

async fn upload(sim: &Sim, name: &str) -> Object {
    sim.bucket("b").create(name, 0, NewObject::default()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_fault_before_applying_changes_nothing() {
    let sim = sim();
    let object = upload(&sim, "in/a").await;
    let busy = Kind::Busy { retry_after: None };
    sim.fail_next(Operation::Move, Fault::Before(busy.clone()));
    let error =
        sim.bucket("b").rename(object.pinned(), object.metageneration, "out/a").await.unwrap_err();
    assert_eq!(error.kind(), &busy);
    assert_eq!(sim.objects("b"), std::slice::from_ref(&object));
    assert!(sim.bucket("b").rename(object.pinned(), object.metageneration, "out/a").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_hides_success_and_failure_alike() {
    let sim = sim();
    let object = upload(&sim, "in/a").await;
    for _ in 0..2 {
        sim.fail_next(Operation::Delete, Fault::AppliedThenLost);
        let error = sim.bucket("b").delete(object.pinned()).await.unwrap_err();
        assert!(error.is_ambiguous(), "{error}");
        assert!(sim.objects("b").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_can_be_set_for_the_nth_call() {
    let sim = sim();
    sim.fail_nth(Operation::Get, 2, Fault::Before(Kind::Unknown));
    upload(&sim, "a").await;
    let mut got = Vec::new();
    for _ in 0..3 {
        got.push(sim.bucket("b").get("a").await.is_ok());
    }
    assert_eq!(got, [true, false, true]);
    assert_eq!(sim.calls(Operation::Get), 3);
    assert_eq!(sim.calls(Operation::List), 0);
}

#[tokio::test(start_paused = true)]
async fn a_delay_takes_its_time_before_or_after_applying() {
    let sim = sim();
    let minute = Duration::from_mins(1);
    sim.fail_next(Operation::Create, Fault::Delay(minute));
    let object = upload(&sim, "a").await;
    assert_eq!(object.created, TokioClock::START + minute);

    sim.fail_next(Operation::Delete, Fault::AppliedThenDelay(minute));
    let bucket = sim.bucket("b");
    let stopped = tokio::time::timeout(minute / 2, bucket.delete(object.pinned())).await;
    assert!(stopped.is_err(), "the caller is stopped before the answer");
    assert!(sim.objects("b").is_empty(), "and yet it was applied");
}

#[tokio::test(start_paused = true)]
async fn a_cut_read_gives_its_bytes_and_then_an_error() {
    let sim = sim();
    let object = sim.upload("b", "a", "0123456789").unwrap();
    sim.fail_next(Operation::Read, Fault::Cut(4));
    let stream = sim.bucket("b").read(object.pinned(), 2).await.unwrap();
    let got: Vec<Result<Bytes>> = stream.collect().await;
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].as_ref().unwrap(), "2345");
    assert!(got[1].as_ref().unwrap_err().is_ambiguous());
}

#[tokio::test(start_paused = true)]
async fn a_seed_decides_the_faults() {
    async fn run(seed: u64) -> (Vec<bool>, Injected) {
        let sim = sim();
        sim.set_faults(SeededFaults::new(seed, 500, Duration::from_secs(1)));
        let mut outcomes = Vec::new();
        for n in 0..200 {
            let (bucket, name) = (sim.bucket("b"), format!("{n}"));
            outcomes.push(bucket.create(&name, 0, NewObject::default()).await.is_ok());
        }
        (outcomes, sim.injected())
    }
    let (outcomes, injected) = run(1).await;
    assert_eq!((outcomes.clone(), injected), run(1).await);
    assert_ne!(outcomes, run(2).await.0);
    for count in
        [injected.before, injected.applied_then_lost, injected.delay, injected.applied_then_delay]
    {
        assert!(count > 0, "{injected:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_closure_can_choose_the_faults() {
    let sim = sim();
    sim.set_faults(|call: &Call| (call.name == "a").then_some(Fault::Before(Kind::Held)));
    assert!(sim.bucket("b").create("a", 0, NewObject::default()).await.is_err());
    upload(&sim, "b").await;
    sim.clear_faults();
    upload(&sim, "a").await;
    assert_eq!(sim.injected().before, 1);
}

#[tokio::test(start_paused = true)]
async fn held_objects_are_neither_moved_nor_deleted_nor_replaced() {
    let sim = sim();
    let bucket = sim.bucket("b");
    let later = TokioClock::START + Duration::from_mins(1);
    let holds: [fn(&Sim, bool, Timestamp); 3] = [
        |sim, on, _| drop(sim.set_temporary_hold("b", "a", on).unwrap()),
        |sim, on, _| drop(sim.set_event_based_hold("b", "a", on).unwrap()),
        |sim, on, later| drop(sim.retain("b", "a", on.then_some(later)).unwrap()),
    ];
    upload(&sim, "a").await;
    for hold in holds {
        hold(&sim, true, later);
        let object = bucket.get("a").await.unwrap();
        let moved = bucket.rename(object.pinned(), object.metageneration, "z").await;
        assert!(moved.unwrap_err().is_held());
        assert!(bucket.delete(object.pinned()).await.unwrap_err().is_held());
        let replaced = bucket.create("a", object.generation, NewObject::default()).await;
        assert!(replaced.unwrap_err().is_held());
        assert!(sim.upload("b", "a", "x").unwrap_err().is_held());
        assert!(sim.remove("b", "a").unwrap_err().is_held());
        hold(&sim, false, later);
    }
    let object = bucket.get("a").await.unwrap();
    let moved = bucket.rename(object.pinned(), object.metageneration, "z");
    assert!(moved.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_held_object_can_be_marked_and_copied_and_its_copy_is_free() {
    let sim = sim();
    let bucket = sim.bucket("b");
    let object = upload(&sim, "a").await;
    let held = sim.set_temporary_hold("b", "a", true).unwrap();
    let mark = Metadata::from([("k".into(), "v".into())]);
    bucket.update(object.pinned(), held.metageneration, &mark).await.unwrap();
    bucket.rewrite(object.pinned(), "c", "a", None, None).await.unwrap();
    assert_eq!(sim.objects("c")[0].held(sim.clock().now()), None);
}

#[tokio::test(start_paused = true)]
async fn a_condition_is_checked_before_a_hold() {
    let sim = sim();
    let first = upload(&sim, "a").await;
    let second = sim.upload("b", "a", "again").unwrap();
    sim.set_temporary_hold("b", "a", true).unwrap();
    let bucket = sim.bucket("b");
    assert!(bucket.delete(first.pinned()).await.unwrap_err().is_precondition());
    assert!(bucket.delete(second.pinned()).await.unwrap_err().is_held());
}

#[tokio::test(start_paused = true)]
async fn retention_ends_with_time() {
    let sim = sim();
    let object = upload(&sim, "a").await;
    let until = sim.clock().now() + Duration::from_mins(1);
    sim.retain("b", "a", Some(until)).unwrap();
    assert!(sim.bucket("b").delete(object.pinned()).await.unwrap_err().is_held());
    tokio::time::advance(Duration::from_mins(1)).await;
    sim.bucket("b").delete(object.pinned()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_copy_is_visible_before_its_last_step() {
    let sim = sim().with_rewrite_step(4);
    let object = sim.upload("b", "a", "0123456789").unwrap();
    let bucket = sim.bucket("b");
    let mut token: Option<String> = None;
    for _ in 0..2 {
        let step = bucket.rewrite(object.pinned(), "c", "a", None, token.as_deref());
        let brigade_storage::RewriteStep::More(next) = step.await.unwrap() else {
            panic!("two more steps are needed")
        };
        token = Some(next);
        assert!(sim.objects("c").is_empty());
    }
    let other = bucket.rewrite(object.pinned(), "c", "z", None, token.as_deref()).await;
    assert_eq!(other.unwrap_err().kind(), &Kind::Invalid);
    let last = bucket.rewrite(object.pinned(), "c", "a", None, token.as_deref()).await;
    assert!(matches!(last.unwrap(), brigade_storage::RewriteStep::Done(_)));
    assert_eq!(sim.content("c", "a").unwrap(), "0123456789");
}

#[tokio::test(start_paused = true)]
async fn a_source_replaced_between_two_steps_ends_the_copy() {
    let sim = sim().with_rewrite_step(1);
    let object = sim.upload("b", "a", "01").unwrap();
    let bucket = sim.bucket("b");
    let brigade_storage::RewriteStep::More(token) =
        bucket.rewrite(object.pinned(), "c", "a", None, None).await.unwrap()
    else {
        panic!("another step is needed")
    };
    sim.upload("b", "a", "new").unwrap();
    let step = bucket.rewrite(object.pinned(), "c", "a", None, Some(&token)).await;
    assert!(step.unwrap_err().is_precondition());
    assert!(sim.objects("c").is_empty());
}

#[tokio::test(start_paused = true)]
async fn every_upload_can_be_followed_to_its_end() {
    let sim = sim();
    let bucket = sim.bucket("b");
    let first = sim.upload("b", "in/a", "first").unwrap();
    let moved = bucket.rename(first.pinned(), first.metageneration, "out/a").await.unwrap();
    bucket.rewrite(moved.pinned(), "c", "a", None, None).await.unwrap();
    bucket.delete(moved.pinned()).await.unwrap();
    sim.upload("b", "in/b", "second").unwrap();
    sim.upload("b", "in/b", "third").unwrap();
    let fourth = sim.upload("b", "in/c", "fourth").unwrap();
    sim.fail_next(Operation::Delete, Fault::AppliedThenLost);
    bucket.delete(fourth.pinned()).await.unwrap_err();

    let fates = sim.fates();
    let places: Vec<Vec<&str>> = fates
        .iter()
        .map(|fate| fate.places.iter().map(|place| place.name.as_str()).collect())
        .collect();
    assert_eq!(places, [vec!["a"], vec![], vec!["in/b"], vec![]]);
    assert_eq!(fates[0].places[0].bucket, "c");
    let lost: Vec<bool> = fates.iter().map(UploadOutcome::is_lost).collect();
    assert_eq!(
        lost,
        [false, false, false, true],
        "external users may replace, the port may not lose"
    );
    assert_eq!(sim.history().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn external_changes_are_neither_counted_nor_failed() {
    let sim = sim();
    sim.fail_next(Operation::Create, Fault::Before(Kind::Unknown));
    sim.upload("b", "a", "x").unwrap();
    let annotated = sim.annotate("b", "a", "k", "v").unwrap();
    assert_eq!(annotated.metageneration, 2);
    assert_eq!(sim.make_composite("b", "a").unwrap().md5, None);
    sim.remove("b", "a").unwrap();
    assert_eq!(sim.calls(Operation::Create), 0);
    assert_eq!(sim.injected(), Injected::default());
}

fn generations(objects: &[Object]) -> Vec<i64> {
    objects.iter().map(|object| object.generation).collect()
}

#[tokio::test(start_paused = true)]
async fn erasing_takes_exactly_one_version_live_or_not() {
    let sim = Sim::new().with_versioned_bucket("b");
    let first = sim.upload("b", "a", "1").unwrap().generation;
    let second = sim.upload("b", "a", "2").unwrap().generation;
    let third = sim.upload("b", "a", "3").unwrap().generation;
    sim.erase("b", "a", first).unwrap();
    assert_eq!(generations(&sim.noncurrent("b")), [second]);
    sim.erase("b", "a", third).unwrap();
    assert_eq!(generations(&sim.noncurrent("b")), [second]);
    assert_eq!(sim.objects("b"), []);
    assert!(sim.erase("b", "a", third).unwrap_err().is_not_found());
}

#[tokio::test(start_paused = true)]
async fn a_held_version_is_not_erased() {
    let sim = Sim::new().with_versioned_bucket("b");
    let held = sim.upload("b", "a", "1").unwrap().generation;
    sim.set_temporary_hold("b", "a", true).unwrap();
    assert!(sim.erase("b", "a", held).unwrap_err().is_held());
    assert_eq!(sim.objects("b").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_history_names_the_caller_that_changed_something() {
    let sim = sim();
    let first = sim.called_by(1).bucket("b").create("a", 0, NewObject::default()).await.unwrap();
    sim.called_by(2).bucket("b").delete(first.pinned()).await.unwrap();
    sim.bucket("b").create("a", 0, NewObject::default()).await.unwrap();
    let by: Vec<Actor> = sim.history().iter().map(|mutation| mutation.by).collect();
    assert_eq!(by, [Actor::Caller(1), Actor::Caller(2), Actor::Port]);
    assert!(sim.fates()[0].is_lost());
}
