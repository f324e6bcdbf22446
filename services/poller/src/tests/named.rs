//! Objects that a caller names, one at a time.

use super::{
    world::{World, script, waiting},
    *,
};
use crate::{
    in_flight::Join,
    outcome::{Ignored, ObjectResult, RETRY_SOON},
};

fn named(name: &str, generation: i64) -> ObjectRef {
    ObjectRef { bucket: "data".into(), name: name.into(), generation: Some(generation) }
}

impl World {
    fn generation(&self, name: &str) -> i64 {
        let objects = self.sim.objects("data");
        let found = objects.into_iter().find(|object| object.name == name);
        found.unwrap().generation
    }

    pub(super) async fn event(&self, name: &str) -> Result<ObjectResult, PollError> {
        let named = named(name, self.generation(name));
        self.poller.process_object(named, Trigger::default()).await
    }
}

pub(super) fn settlement(one: Result<ObjectResult, PollError>) -> Settlement {
    match one.unwrap() {
        ObjectResult::Settled(settled) => settled.settlement(),
        other => panic!("{other:?}"),
    }
}

pub(super) fn again(one: Result<ObjectResult, PollError>) -> Duration {
    match one.unwrap() {
        ObjectResult::Retry { after, .. } => after,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_named_object_goes_where_its_worker_says() {
    let world = answering([("b", Answer::status(Code::Internal, "broken"))]);
    world.upload(&["a", "b"]);
    assert_eq!(settlement(world.event("in/a").await), Settlement::Processed);
    assert_eq!(settlement(world.event("in/b").await), Settlement::Failed);
    assert_eq!(world.names(), ["failed/b", "processed/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_generation_that_is_gone_or_replaced_is_superseded_and_no_worker_is_asked() {
    let world = answering([]).with(&["a"]);
    let old = world.generation("in/a");
    world.upload(&["a"]);
    for event in [named("in/a", old), named("in/gone", old)] {
        let one = world.send(event).await;
        assert_eq!(settlement(one), Settlement::Superseded);
    }
    assert_eq!((world.asked(), world.names()), (0, vec!["in/a".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn without_a_generation_the_live_one_is_meant() {
    let world = answering([]).with(&["a"]);
    let live = ObjectRef { generation: None, ..named("in/a", 1) };
    let one = world.send(live.clone()).await;
    assert_eq!(settlement(one), Settlement::Processed);
    let one = world.send(live).await;
    assert_eq!(settlement(one), Settlement::Superseded);
}

#[tokio::test(start_paused = true)]
async fn what_is_elsewhere_or_filtered_is_ignored_without_a_look() {
    let world = answering([]);
    let elsewhere = ObjectRef { bucket: "other".into(), ..named("in/a", 1) };
    for event in [elsewhere, named("out/a", 1)] {
        let one = world.send(event).await;
        assert_eq!(one.unwrap(), ObjectResult::Ignored(Ignored::Elsewhere));
    }
    let control = world.send(named("in/.brigade/x", 1)).await;
    assert!(matches!(control.unwrap(), ObjectResult::Ignored(Ignored::Filtered(_))));
    assert_eq!(world.sim.calls(Operation::Get), 0);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_begins_like_a_dated_destination_is_taken() {
    let world = world_with(Script::default(), "", |config| {
        config.processed = brigade_storage::Location::new("data", "done-{date}/");
    });
    world.put(&["done-report.csv"], "1");
    let taken = world.event("done-report.csv").await;
    assert_eq!(settlement(taken), Settlement::Processed);
    let there = world.names();
    assert!(there[0].starts_with("done-2026/01/01/"), "{there:?}");
    // It stays there.
    assert!(matches!(
        world.event(&there[0]).await.unwrap(),
        ObjectResult::Ignored(Ignored::Filtered(_))
    ));
    assert_eq!(world.poll_all().await.settled, []);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_asks_for_time_is_asked_once_and_the_attempt_is_kept() {
    let world = answering([("a", Answer::status(Code::Unavailable, "loading"))]);
    world.upload(&["a"]);
    let after = again(world.event("in/a").await);
    assert!(after >= Duration::from_secs(2), "{after:?}");
    assert_eq!(world.asked(), 1);
    // Sent again before it is due, the worker is not asked, and the answer says how long to wait.
    let left = again(world.event("in/a").await);
    assert!(left <= after && world.asked() == 1, "{left:?}");
    assert_eq!(world.poll_all().await.skipped, []);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_always_asked_again_fails_in_the_end() {
    let world = answering([("a", Answer::status(Code::Unavailable, "loading"))]);
    world.upload(&["a"]);
    for _ in 0..4 {
        let after = again(world.event("in/a").await);
        tokio::time::sleep(after + Duration::from_secs(1)).await;
    }
    assert_eq!(settlement(world.event("in/a").await), Settlement::Failed);
    assert_eq!(world.asked(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_fails_moves_nothing_and_is_no_attempt() {
    let world = answering([("a", Answer::Transport(TransportError::Connect("refused".into())))]);
    world.upload(&["a"]);
    for _ in 0..20 {
        match world.event("in/a").await {
            // From the fifth failure on the worker counts as away, and is probed now and then.
            Err(error) => assert!(matches!(error, PollError::WorkerAway { .. })),
            result => drop(again(result)),
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    assert_eq!(world.names(), ["in/a"]);
    assert_eq!(world.sim.calls(Operation::Update), 0);
}

#[tokio::test(start_paused = true)]
async fn wiring_that_is_wrong_is_an_error_that_needs_a_fix() {
    let denied = || Answer::status(Code::PermissionDenied, "not you");
    let world = answering([("a", denied()), ("b", denied())]).with(&["a", "b"]);
    again(world.event("in/a").await);
    assert!(world.event("in/b").await.unwrap_err().needs_fix());
    assert_eq!(world.names(), ["in/a", "in/b"]);
    assert_eq!(world.sim.calls(Operation::Update), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_duplicates_at_once_ask_the_worker_once_and_share_the_end() {
    let world = answering([]).with(&["a"]);
    let events = (0..100).map(|_| world.event("in/a"));
    for one in futures::future::join_all(events).await {
        assert_eq!(settlement(one), Settlement::Processed);
    }
    assert_eq!(world.asked(), 1);
    assert_eq!(world.sim.calls(Operation::Move), 1);
}

#[tokio::test(start_paused = true)]
async fn a_poll_leaves_alone_what_an_event_has_in_hand() {
    let world = world(gated()).with(&["a"]);
    let (poller, event) = (world.poller.clone(), named("in/a", world.generation("in/a")));
    let event = tokio::spawn(async move { poller.process_object(event, Trigger::default()).await });
    world.worker.entered.notified().await;
    let explain = request(|r| r.explain = true);
    let ended = world.poll(explain).await;
    assert_eq!(ended.skipped, [("in/a".into(), Filter::InFlight)]);
    world.release();
    assert_eq!(settlement(event.await.unwrap()), Settlement::Processed);
    assert_eq!(world.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_waits_for_the_poll_that_has_its_object_in_hand() {
    let world = world(gated()).with(&["a"]);
    let event = world.event("in/a");
    let events = world.start();
    world.worker.entered.notified().await;
    let release = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.release();
    };
    let (one, ended, ()) = tokio::join!(event, collect(events), release);
    assert_eq!(settlement(one), Settlement::Processed);
    assert_eq!((ended.settled.len(), world.asked()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_leaves_no_object_half_settled() {
    let world = world(gated()).with(&["a"]);
    tokio::select! {
        _ = world.event("in/a") => panic!("the gate is closed"),
        () = world.worker.entered.notified() => {}
    }
    world.release();
    world.poller.drained().await;
    assert_eq!(world.names(), ["processed/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_held_object_is_left_to_the_sweep() {
    let world = answering([]).with(&["a"]);
    world.sim.set_temporary_hold("data", "in/a", true).unwrap();
    assert!(matches!(world.event("in/a").await.unwrap(), ObjectResult::Ignored(_)));
    assert_eq!(world.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_is_away_is_an_error_that_time_heals() {
    let world = answering([]).with(&["a"]);
    let event = named("in/a", world.generation("in/a"));
    world.fail(7, Operation::Get, Kind::Unknown);
    let error = world.send(event).await.unwrap_err();
    assert!(!error.needs_fix(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_before_there_is_a_slot_leaves_nothing_behind() {
    let world = answering([]).with(&["a"]);
    let all = world.all_slots().await;
    let waited = tokio::time::timeout(Duration::from_secs(10), world.event("in/a")).await;
    assert!(waited.is_err(), "there was no slot");
    drop(all);
    sleep_a_minute().await;
    assert_eq!((world.asked(), world.names()), (0, vec!["in/a".to_owned()]));
    // Nothing holds it.
    assert_eq!(settlement(world.event("in/a").await), Settlement::Processed);
}

async fn sleep_a_minute() {
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn the_time_that_an_object_waits_for_a_slot_takes_nothing_of_its_workers() {
    let world = answering([("a", Answer::TimedOut(Duration::from_secs(60)))]);
    world.upload(&["a"]);
    let all = world.all_slots().await;
    let (one, ()) = tokio::join!(world.event("in/a"), async {
        sleep_a_minute().await;
        drop(all);
    });
    again(one);
    assert_eq!(*world.worker.timeouts.lock().unwrap(), [Duration::from_secs(60)]);
    // A whole call that timed out is an attempt.
    assert_eq!(world.written("brigade-attempts"), "1");
}

#[tokio::test(start_paused = true)]
async fn a_poll_whose_slots_others_hold_ends_at_its_deadline() {
    let world = answering([]).with(&["a"]);
    let _all = world.all_slots().await;
    let ended = world.poll_all().await;
    assert_eq!(ended.reason(), EndReason::Deadline);
    assert_eq!((world.asked(), world.names()), (0, vec!["in/a".to_owned()]));
}

/// In a directory that stands for a bucket, a generation is a file's time: the same file, laid there again, has the same.
#[tokio::test(start_paused = true)]
async fn a_generation_that_was_settled_and_is_there_again_is_processed_again() {
    let world = answering([]).with(&["a"]);
    let generation = world.generation("in/a");
    assert_eq!(settlement(world.event("in/a").await), Settlement::Processed);
    world.upload(&["b"]);
    // As if it had been settled before.
    let in_flight = &world.poller.instance.in_flight;
    let Join::Leader(leader) = in_flight.join("in/b", world.generation("in/b")) else {
        panic!("none leads");
    };
    leader.remember_settled();
    drop(leader);
    assert_ne!(generation, world.generation("in/b"));
    let ended = world.poll_all().await;
    assert_eq!(ended.settled, [("in/b".into(), Settlement::Processed)]);
}

/// A caller that waits so long.
fn within(seconds: u64) -> Trigger {
    Trigger { deadline: Some(Duration::from_secs(seconds)), ..Trigger::default() }
}

#[tokio::test(start_paused = true)]
async fn an_event_gets_no_more_time_than_its_sender_waits() {
    let world = world_with(waiting(3_600), "in/", |config| {
        config.budgets.process_timeout = Duration::from_mins(25);
        config.budgets.poll_deadline = Duration::from_mins(29);
    });
    world.upload(&["a"]);
    let all = world.all_slots().await;
    let began = tokio::time::Instant::now();
    let event = world.poller.process_object(named("in/a", world.generation("in/a")), within(590));
    let (one, ()) = tokio::join!(event, async {
        tokio::time::sleep(Duration::from_secs(100)).await;
        drop(all);
    });
    assert_eq!(settlement(one), Settlement::Processed);
    // Its wait for a slot is a part of it, and so is the time to move it.
    assert_eq!(*world.worker.timeouts.lock().unwrap(), [Duration::from_secs(485)]);
    assert!(began.elapsed() <= Duration::from_secs(590), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_event_whose_instance_has_no_free_slot_is_answered_while_its_sender_waits() {
    let world = answering([]).with(&["a"]);
    let _all = world.all_slots().await;
    let event = world.poller.process_object(named("in/a", world.generation("in/a")), within(40));
    let waited = tokio::time::timeout(Duration::from_secs(11), event).await.unwrap();
    assert_eq!((again(waited), world.asked()), (RETRY_SOON, 0));
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_waits_for_the_first_no_longer_than_its_sender_does() {
    let world = world(gated()).with(&["a"]);
    let (poller, first) = (world.poller.clone(), named("in/a", world.generation("in/a")));
    let second = first.clone();
    let first = tokio::spawn(async move { poller.process_object(first, Trigger::default()).await });
    world.worker.entered.notified().await;
    let second = world.poller.process_object(second, within(30));
    let answered = tokio::time::timeout(Duration::from_secs(31), second).await;
    assert_eq!(again(answered.unwrap()), RETRY_SOON);
    world.release();
    assert_eq!(settlement(first.await.unwrap()), Settlement::Processed);
    assert_eq!(world.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_of_a_file_that_is_too_young_comes_again_when_it_is_old_enough() {
    let world = world_with(Script::default(), "in/", |config| {
        config.min_age = Duration::from_secs(60);
    });
    world.upload(&["a"]);
    tokio::time::advance(Duration::from_secs(20)).await;
    let young = world.event("in/a").await.unwrap();
    let ObjectResult::Retry { after, why } = young else { panic!("{young:?}") };
    assert_eq!((after, world.asked()), (Duration::from_secs(40), 0));
    insta::assert_snapshot!(why, @"it is too young: 20s old; minimum 60s");
    tokio::time::advance(after).await;
    assert_eq!(settlement(world.event("in/a").await), Settlement::Processed);
}

#[tokio::test(start_paused = true)]
async fn the_minimum_age_of_polls_delays_no_event() {
    let world = world_with(Script::default(), "in/", |config| {
        config.poll_min_age = Duration::from_secs(60);
    });
    world.upload(&["a"]);
    let explain = request(|r| r.explain = true);
    assert_eq!(world.poll(explain).await.skipped, [("in/a".into(), Filter::MinAge)]);
    assert_eq!(settlement(world.event("in/a").await), Settlement::Processed);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_an_events_sender_cut_short_is_no_attempt() {
    let timed_out = Answer::TimedOut(Duration::from_secs(585));
    let world = world_with(script([("a", timed_out)]), "in/", |config| {
        config.budgets.process_timeout = Duration::from_mins(25);
        config.budgets.poll_deadline = Duration::from_mins(29);
    });
    world.upload(&["a"]);
    let event = named("in/a", world.generation("in/a"));
    again(world.poller.process_object(event, within(590)).await);
    assert_eq!(world.sim.calls(Operation::Update), 0);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_the_median_says_cannot_end_in_its_senders_time_is_not_begun() {
    let world = world_with(waiting(500), "in/", |config| {
        config.budgets.process_timeout = Duration::from_mins(10);
    });
    world.upload(&["a", "b"]);
    let send = |name| {
        let event = named(name, world.generation(name));
        world.poller.process_object(event, within(590))
    };
    assert_eq!(settlement(send("in/a").await), Settlement::Processed);
    let all = world.all_slots().await;
    let (one, ()) = tokio::join!(send("in/b"), async {
        tokio::time::sleep(Duration::from_secs(140)).await;
        drop(all);
    });
    assert_eq!((again(one), world.asked()), (RETRY_SOON, 1));
    assert_eq!(settlement(send("in/b").await), Settlement::Processed);
}
