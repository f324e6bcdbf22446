//! What storage refuses to move keeps no other object from its turn, and its worker from no other work.

use async_trait::async_trait;
use brigade_sim::Call;
use brigade_storage::Object;

use super::{
    named::{again, settlement},
    world::World,
    *,
};
use crate::{
    in_flight::Join,
    mark,
    outcome::{DEFERRED, ObjectResult},
    tasks::{Enqueued, Queue},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// The front of the listing, encrypted with a key of the customer's.
const KEYED: [&str; 10] = ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"];

/// A poll takes on ten, and ten come first that storage refuses to move.
fn keyed() -> World {
    let world = world_with(Script::default(), "in/", |config| {
        config.budgets.max_objects = Some(10);
    });
    refuse(&world, Operation::Move);
    world.upload(&KEYED);
    world.upload(&["z"]);
    world
}

/// Refuses such calls about the objects with a key.
fn refuse(world: &World, operation: Operation) {
    world.sim.set_faults(move |call: &Call| {
        let is_refused = call.operation == operation || call.operation == Operation::Move;
        let is_keyed = call.name.starts_with("in/a");
        (is_refused && is_keyed).then_some(Fault::Before(Kind::Invalid))
    });
}

fn asked(world: &World) -> Vec<String> {
    let mut asked = world.worker.asked.lock().unwrap().clone();
    asked.sort();
    asked
}

fn each_once() -> Vec<String> {
    let names = KEYED.iter().chain(&["z"]);
    names.map(|name| format!("in/{name}")).collect()
}

#[tokio::test(start_paused = true)]
async fn ten_objects_that_cannot_be_moved_keep_no_other_from_its_turn() {
    let world = keyed();
    let ended = world.poll_all().await;
    let all = |settlement| move |settled: &(String, Settlement)| settled.1 == settlement;
    assert!(ended.settled.iter().all(all(Settlement::Retry)));
    assert_eq!(ended.reason(), EndReason::MaxObjects);
    let second = world.poll_all().await;
    assert_eq!(second.settled, [("in/z".into(), Settlement::Processed)]);
    assert_eq!(asked(&world), each_once());
}

#[tokio::test(start_paused = true)]
async fn an_object_that_can_be_moved_in_the_end_is_moved_by_its_recorded_verdict() {
    let world = keyed();
    world.poll_all().await;
    world.poll_all().await;
    world.sim.clear_faults();
    tokio::time::advance(MINUTE).await;
    let ended = world.poll_all().await;
    let all = |settled: &(String, Settlement)| settled.1 == Settlement::Processed;
    assert!(ended.settled.len() == 10 && ended.settled.iter().all(all), "{ended:?}");
    assert_eq!(asked(&world), each_once());
    assert!(world.all_in("processed/"));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_moved_is_left_alone_longer_each_time() {
    let world = keyed();
    let due = |world: &World| mark::due(&world.sim.objects("data")[0]).unwrap();
    let mut pauses = Vec::new();
    for _ in 0..9 {
        world.poll_all().await;
        let now = world.sim.clock().now();
        let pause = Duration::try_from(due(&world).duration_since(now)).unwrap();
        // A mark has whole seconds.
        pauses.push((pause + SECOND).as_secs() / 60);
        tokio::time::advance(pause).await;
    }
    assert_eq!(pauses, [1, 1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(asked(&world), each_once());
    assert_eq!(mark::attempts(&world.sim.objects("data")[0]), 0);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_can_be_neither_moved_nor_written_on_is_kept_in_mind() {
    let world = keyed();
    refuse(&world, Operation::Update);
    world.poll_all().await;
    let second = world.poll_all().await;
    assert_eq!(second.settled, [("in/z".into(), Settlement::Processed)]);
    assert_eq!(asked(&world), each_once());
    tokio::time::advance(MINUTE).await;
    world.sim.clear_faults();
    assert_eq!(world.poll_all().await.settled.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_refused_object_that_cannot_be_moved_keeps_its_reason_and_its_verdict() {
    let world = answering([("a1", Answer::status(Code::InvalidArgument, "no"))]);
    refuse(&world, Operation::Move);
    world.upload(&["a1"]);
    world.poll_all().await;
    let object: Object = world.sim.objects("data").remove(0);
    let failed = mark::RecordedVerdict::Failed("no".into());
    assert_eq!(mark::recorded_verdict(&object), Some(failed));
    assert!(mark::due(&object).is_some());
    world.sim.clear_faults();
    tokio::time::advance(MINUTE).await;
    let ended = world.poll_all().await;
    assert_eq!(ended.settled, [("in/a1".into(), Settlement::Failed)]);
    assert_eq!(world.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_names_an_object_that_cannot_be_moved_has_to_wait() {
    let world = keyed();
    for _ in 0..2 {
        let after = again(world.event("in/a0").await);
        assert!(after + SECOND >= MINUTE, "{after:?}");
    }
    assert_eq!(world.asked(), 1);
    world.sim.clear_faults();
    tokio::time::advance(MINUTE).await;
    assert_eq!(settlement(world.event("in/a0").await), Settlement::Processed);
    assert_eq!(world.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_appears_while_the_worker_is_at_work_costs_no_second_run() {
    let world = world(gated()).with(&["a"]);
    let (ended, ()) = tokio::join!(world.poll_all(), async {
        world.worker.entered.notified().await;
        (world.sim).set_temporary_hold("data", "in/a", true).unwrap();
        world.release();
    });
    assert_eq!(ended.settled, [("in/a".into(), Settlement::Held)]);
    world.sim.set_temporary_hold("data", "in/a", false).unwrap();
    tokio::time::advance(MINUTE).await;
    let ended = world.poll_all().await;
    assert_eq!(ended.settled, [("in/a".into(), Settlement::Processed)]);
    assert_eq!(world.asked(), 1);
}

/// A queue that has these tasks already.
#[derive(Debug)]
struct Known(&'static [&'static str]);

#[async_trait]
impl Queue for Known {
    async fn enqueue(&self, object: &Object, _: Duration) -> Enqueued {
        tokio::task::yield_now().await;
        let name = object.name.trim_start_matches("in/");
        if self.0.contains(&name) { Enqueued::Exists } else { Enqueued::Created }
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_a_task_already_counts_for_nothing() {
    let mut world = world_with(Script::default(), "in/", |config| {
        config.budgets.max_objects = Some(2);
    });
    world.poller = world.poller.queue(Some(Arc::new(Known(&KEYED))));
    world.upload(&KEYED);
    world.upload(&["x", "y", "z"]);
    let ended = world.poll_all().await;
    let new = |settled: &&(String, Settlement)| settled.1 == Settlement::Enqueued;
    let names: Vec<_> = ended.settled.iter().filter(new).map(|s| &*s.0).collect();
    assert_eq!(names, ["in/x", "in/y"]);
    assert_eq!(ended.reason(), EndReason::MaxObjects);
}

/// No mark can be written: what this instance remembers holds for polls and events alike.
#[tokio::test(start_paused = true)]
async fn what_a_poll_and_an_event_put_off_is_put_off_for_the_other_too() {
    let world = keyed();
    refuse(&world, Operation::Update);
    let explain = request(|r| r.explain = true);
    let due_in = |minutes| ObjectResult::Retry { after: minutes * MINUTE, why: DEFERRED.into() };

    assert_eq!(again(world.event("in/a0").await), MINUTE);
    assert!(world.poll(explain.clone()).await.skipped.contains(&("in/a0".into(), Filter::NotDue)));
    assert_eq!(world.event("in/a1").await.unwrap(), due_in(1));

    // Twice as long each time, whichever of them asks.
    tokio::time::advance(MINUTE).await;
    world.poll(explain.clone()).await;
    assert_eq!(world.event("in/a0").await.unwrap(), due_in(2));
    tokio::time::advance(2 * MINUTE).await;
    assert_eq!(again(world.event("in/a0").await), 4 * MINUTE);
    assert!(world.poll(explain).await.skipped.contains(&("in/a0".into(), Filter::NotDue)));
}

#[tokio::test(start_paused = true)]
async fn an_event_of_a_file_whose_hold_and_verdict_cannot_be_written_comes_again() {
    let world = world(gated()).with(&["a"]);
    let (one, ()) = tokio::join!(world.event("in/a"), async {
        world.worker.entered.notified().await;
        (world.sim).set_temporary_hold("data", "in/a", true).unwrap();
        world.refuse(Operation::Update, Kind::Invalid);
        world.release();
    });
    assert_eq!(again(one), MINUTE);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_ends_one_files_try_and_not_the_poll() {
    let world = answering([]).with(&["a", "b", "c"]);
    let in_flight = &world.poller.instance.in_flight;
    let generation = world.sim.objects("data")[0].generation;
    let Join::Leader(leader) = in_flight.join("in/a", generation) else { panic!("none leads") };
    // A poll looks at what was settled before and is listed again.
    leader.remember_settled();
    drop(leader);
    world.refuse(Operation::Get, Kind::Unknown);
    let ended = world.poll_all().await;
    assert_eq!(ended.reason(), EndReason::Complete);
    assert!(ended.settled.contains(&("in/a".into(), Settlement::Retry)), "{:?}", ended.settled);
    assert_eq!(world.names(), ["in/a", "processed/b", "processed/c"]);
    world.sim.clear_faults();
    world.poll_all().await;
    assert!(world.all_in("processed/"));
}
