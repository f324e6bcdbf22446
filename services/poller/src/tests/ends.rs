//! What ends a poll early, and what becomes of the objects in flight.

use brigade_proto::v1::ProcessResponse;

use super::*;

fn refused() -> Answer {
    Answer::Transport(TransportError::Connect("refused".into()))
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_down_ends_the_poll_quickly_and_says_so() {
    for count in [1, 100] {
        let world = world(Script { otherwise: Some(refused()), ..Script::default() });
        world.upload_many(count);
        let began = tokio::time::Instant::now();
        let error = world.poll_all().await.error.expect("an error");
        assert!(matches!(error, PollError::WorkerAway { failures: 5.., .. }));
        assert!(error.to_string().contains("WORKER_URL"), "{error}");
        assert!(!error.needs_fix());
        assert!(began.elapsed() < Duration::from_mins(1));
        assert!(world.asked() < 80, "it went on asking: {}", world.asked());
        assert!(world.all_in("in/"));
        assert_eq!(world.sim.calls(Operation::Update), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_in_between_keeps_the_poll_going() {
    let world = world(Script {
        otherwise: Some(refused()),
        answers: (["b", "d", "f", "h"].map(|name| (name, Answer::ok(ProcessResponse::default()))))
            .into(),
        ..Script::default()
    });
    world.upload(&["b", "d", "f", "h"]);
    assert_eq!(world.poll_all().await.reason(), EndReason::Complete);
}

#[tokio::test(start_paused = true)]
async fn answers_about_two_files_that_are_too_large_end_the_poll_and_move_nothing() {
    let answer = |key: &str| Answer::TooLarge {
        key: key.into(),
        found: "found 71680 bytes, the limit is: 65536 bytes".into(),
    };
    let answers = [("a", answer("data/in/a#1")), ("b", answer("data/in/b#2"))];
    let world = answering(answers).with(&["a", "b"]);
    let error = world.poll_all().await.error.expect("an error");
    assert!(matches!(error, PollError::Stopped(_)) && error.needs_fix());
    for said in ["data/in/", "64 KiB"] {
        assert!(error.to_string().contains(said), "{error}");
    }
    assert_eq!((world.asked(), world.names()), (2, vec!["in/a".into(), "in/b".into()]));
    assert_eq!(world.sim.calls(Operation::Update), 0);
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_cannot_be_written_ends_the_poll_and_loses_nothing() {
    let world = answering([]);
    world.upload_many(50);
    world.refuse(Operation::Move, Kind::Unknown);
    let error = world.poll_all().await.error.expect("an error");
    assert!(!error.needs_fix(), "{error}");
    assert!(world.asked() <= 12, "it went on asking: {}", world.asked());
    assert_eq!(world.names().len(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_is_forbidden_ends_the_poll_with_nothing_moved() {
    let world = answering([]).with(&["a", "b", "c"]);
    world.refuse(Operation::Move, Kind::PermissionDenied);
    let error = world.poll_all().await.error.expect("an error");
    assert!(error.needs_fix(), "{error}");
    assert_eq!(world.names(), ["in/a", "in/b", "in/c"]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_lets_calls_in_flight_end_within_the_grace() {
    let world = world(waiting(3)).with(&["a"]);
    let ended = world.poll_meanwhile(|| world.shutdown.cancel()).await;
    assert_eq!(ended.settled, [("in/a".into(), Settlement::Processed)]);
    assert_eq!(ended.reason(), EndReason::Shutdown);
    assert!(ended.finished.unwrap().more);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_gives_up_calls_that_outlast_the_grace_at_no_attempt() {
    let world = world(waiting(50)).with(&["a"]);
    let began = tokio::time::Instant::now();
    let ended = world.poll_meanwhile(|| world.shutdown.cancel()).await;
    assert_eq!(ended.settled, [("in/a".into(), Settlement::Retry)]);
    assert!(began.elapsed() < Duration::from_secs(8), "Cloud Run has killed it");
    assert_eq!(world.names(), ["in/a"]);
    assert_eq!(world.sim.calls(Operation::Update), 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_wakes_what_waits_for_its_next_try() {
    let world = answering([("a", Answer::status(Code::Unavailable, "later"))]);
    world.upload(&["a"]);
    let began = tokio::time::Instant::now();
    let ended = world.poll_meanwhile(|| world.shutdown.cancel()).await;
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(ended.reason(), EndReason::Shutdown);
    assert_eq!(ended.settled, [("in/a".into(), Settlement::Retry)]);
    assert_eq!(world.written("brigade-attempts"), "1");
}

#[tokio::test(start_paused = true)]
async fn the_worker_sees_a_deadline_within_the_polls_own() {
    let world = answering([]).with(&["a"]);
    world.poll_within(30).await;
    assert_eq!(*world.worker.timeouts.lock().unwrap(), [Duration::from_secs(25)]);
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_never_answers_ends_the_poll_at_its_deadline() {
    let world = answering([]).with(&["a"]);
    let forever = Fault::Delay(Duration::from_hours(24));
    world.sim.fail_next(Operation::List, forever);
    let began = tokio::time::Instant::now();
    let ended = world.poll_all().await;
    assert_eq!(ended.reason(), EndReason::Deadline);
    assert!(ended.finished.unwrap().more);
    assert_eq!(began.elapsed().as_secs(), 595);
}

#[tokio::test(start_paused = true)]
async fn a_lease_call_that_hangs_ends_the_poll_at_its_deadline() {
    let world = world(leased(Script::default())).with(&["a"]);
    let forever = Fault::Delay(Duration::from_hours(24));
    world.sim.fail_next(Operation::Create, forever);
    let began = tokio::time::Instant::now();
    let ended = world.poll_all().await;
    assert_eq!(ended.reason(), EndReason::Deadline);
    assert_eq!(began.elapsed().as_secs(), 600);
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_finds_another_at_work_does_nothing_and_says_so() {
    let world = world(leased(waiting(3))).with(&["a"]);
    let (first, second) = tokio::join!(world.poll_all(), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.poll_all().await
    });
    assert_eq!(first.settled, [("in/a".into(), Settlement::Processed)]);
    assert_eq!(second.reason(), EndReason::AlreadyRunning);
    assert!(second.settled.is_empty() && !second.finished.unwrap().more);
    assert_eq!(world.asked(), 1);
    assert_eq!(world.names(), ["processed/a"], "the lease was not released");
}

#[tokio::test(start_paused = true)]
async fn a_poll_whose_lease_is_lost_dispatches_nothing_more_and_settles_what_is_in_flight() {
    let world = world(leased(waiting(50)));
    world.upload(&["a", "b", "c", "d", "e", "f"]);
    let removed = || world.sim.remove("data", ".brigade/in/lease").unwrap();
    let ended = world.poll_meanwhile(removed).await;
    assert_eq!(ended.reason(), EndReason::LeaseLost);
    assert_eq!(ended.settled.len(), 4);
    assert_eq!(world.names()[..2], ["in/e", "in/f"]);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_stops_reading_counts_as_gone() {
    let world = world(leased(Script::default()));
    let count = MAX_BEHIND + 100;
    world.upload_many(count);
    let trigger = Trigger::default();
    let mut events = (world.poller).start(&PollRequest::default(), &trigger).unwrap();
    events.recv().await.unwrap().unwrap();
    let began = tokio::time::Instant::now();
    world.poller.drained().await;
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(10), "{took:?}");
    assert!(took < Duration::from_secs(15), "{took:?}");
    let names = world.names();
    let left = names.iter().filter(|name| name.starts_with("in/")).count();
    assert!(world.asked() >= MAX_BEHIND, "{}", world.asked());
    assert!(world.asked() <= MAX_BEHIND + 4, "{}", world.asked());
    assert_eq!(world.asked() + left, count, "not all that was asked about is settled");
    assert_eq!(names.len(), count, "the lease is still there");
    assert!(collect(events).await.finished.is_none());

    let rest = world.poll_all().await;
    assert_eq!((rest.settled.len(), rest.reason()), (left, EndReason::Complete));
    assert_eq!(world.asked(), count);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_stops_reading_keeps_no_answer_from_being_settled() {
    let world = world(waiting(1));
    world.upload_many(MAX_BEHIND + 100);
    let mut events = world.start();
    events.recv().await.unwrap().unwrap();
    // Four a second: the first of the last four finds no room, and the listener is not gone yet.
    tokio::time::sleep(Duration::from_millis(68_500)).await;
    let in_inbox = |name: &&String| name.starts_with("in/");
    let left = world.names().iter().filter(in_inbox).count();
    assert_eq!((world.asked(), left), (MAX_BEHIND + 4, 96));
    assert_eq!(world.poller.instance.slots.available_permits(), 4);
    assert_eq!(world.poller.instance.running.len(), 1, "the poll is over already");
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_slow_but_reads_gets_every_event() {
    let world = answering([]);
    world.upload_many(MAX_BEHIND + 20);
    let mut events = world.start();
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(9)).await;
        events.recv().await.unwrap().unwrap();
    }
    let ended = collect(events).await;
    assert_eq!(ended.reason(), EndReason::Complete);
    assert_eq!(ended.settled.len(), MAX_BEHIND + 1);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_takes_no_lease() {
    let world = world(leased(Script::default())).with(&["a"]);
    let request = request(|r| r.dry_run = true);
    world.poll(request).await;
    assert_eq!(world.sim.calls(Operation::Create), 0);
}
