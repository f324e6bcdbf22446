//! Whole polls over a simulated bucket and a scripted worker.

mod again;
mod blame;
mod ends;
mod inbox;
mod kinds;
mod logs;
mod memory;
mod messages;
mod moved_back;
mod named;
mod refused;
mod relist;
mod selection;
mod stages;
mod traced;
mod waits;
mod world;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use brigade_client::answer::{Answer, TransportError};
use brigade_proto::v1::{EndReason, Filter, PollRequest, Settlement};
use brigade_sim::Fault;
use brigade_storage::{Kind, Metadata, Object, Operation};
use jiff::Timestamp;
use tonic::Code;

use self::world::{
    Script, answering, collect, gated, leased, poller_of, script, waiting, world, world_with,
};
use crate::{
    error::PollError,
    poller::Poller,
    report::{Events, MAX_BEHIND},
    request::{ObjectRef, Trigger},
};

/// A live object of `bucket` with 3 bytes.
pub(crate) fn object(name: &str, generation: i64) -> Object {
    Object {
        bucket: "bucket".into(),
        name: name.into(),
        generation,
        metageneration: 1,
        size: 3,
        content_type: "text/csv".into(),
        content_encoding: String::new(),
        cache_control: String::new(),
        storage_class: String::new(),
        custom_time: None,
        crc32c: Some(1),
        md5: None,
        created: Timestamp::UNIX_EPOCH,
        updated: Timestamp::UNIX_EPOCH,
        metadata: Metadata::new(),
        temporary_hold: false,
        event_based_hold: false,
        retention_expires: None,
    }
}

/// A request with this change.
fn request(change: impl FnOnce(&mut PollRequest)) -> PollRequest {
    let mut request = PollRequest::default();
    change(&mut request);
    request
}

#[tokio::test(start_paused = true)]
async fn each_object_goes_where_its_answer_says() {
    let world = answering([
        ("bad", Answer::status(Code::InvalidArgument, "no")),
        ("later", Answer::status(Code::Unavailable, "wait")),
        ("lost", Answer::Transport(TransportError::CutShort("cut".into()))),
    ]);
    world.upload(&["bad", "good", "later", "lost"]);
    let ended = world.poll_all().await;
    assert_eq!(
        ended.settled,
        [
            ("in/bad".into(), Settlement::Failed),
            ("in/good".into(), Settlement::Processed),
            ("in/later".into(), Settlement::Retry),
            ("in/lost".into(), Settlement::Retry),
        ]
    );
    assert_eq!(world.names(), ["failed/bad", "in/later", "in/lost", "processed/good"]);
    let counts = ended.finished.as_ref().unwrap().counts.unwrap();
    assert_eq!((counts.found, counts.processed, counts.failed, counts.retry), (4, 1, 1, 2));
    assert_eq!(ended.reason(), EndReason::Complete);
}

#[tokio::test(start_paused = true)]
async fn no_transport_failure_moves_anything() {
    let http = |status| TransportError::Http { status, retry_after: None };
    for failure in [
        TransportError::Connect("refused".into()),
        TransportError::Reset("reset".into()),
        http(500),
        http(502),
        http(401),
        http(404),
        TransportError::CutShort("cut".into()),
        TransportError::Identity { message: "gone".into(), transient: false },
    ] {
        let world = answering([
            ("a", Answer::Transport(failure.clone())),
            ("b", Answer::Transport(failure.clone())),
        ]);
        world.upload(&["a", "b"]);
        world.poll_all().await;
        assert_eq!(world.names(), ["in/a", "in/b"], "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_wiring_stops_the_poll_and_names_the_fix() {
    let world = answering([("a", Answer::status(Code::Unauthenticated, "bad audience"))]);
    world.upload(&["a"]);
    world.upload_many(50);
    let ended = world.poll_all().await;
    let error = ended.error.expect("the poll must end with an error");
    assert!(error.to_string().contains("BRIGADE_ALLOWED_CALLERS"), "{error}");
    assert!(ended.finished.is_none());
    assert!(world.asked() < 10, "it went on asking");
    assert!(world.names().contains(&"in/a".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_budget_is_in_flight() {
    let world = answering([]);
    world.upload_many(30);
    let ended = world.poll_all().await;
    assert_eq!(ended.settled.len(), 30);
    assert_eq!(world.worker.most_at_once.load(Ordering::SeqCst), 4);
}

#[tokio::test(start_paused = true)]
async fn max_objects_counts_what_is_left_after_the_filters() {
    let world = answering([]);
    world.put(&["in/folder/"], "");
    world.upload(&["a", "b", "c"]);
    let ended = world.poll(request(|r| r.max_objects = 2)).await;
    assert_eq!(ended.settled.len(), 2);
    assert_eq!(ended.reason(), EndReason::MaxObjects);
    assert!(ended.finished.unwrap().more);
    let rest = world.poll(request(|r| r.max_objects = 1)).await;
    assert_eq!((rest.settled.len(), rest.reason()), (1, EndReason::Complete));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_calls_no_worker_and_moves_nothing() {
    let world = answering([]).with(&["a"]);
    let ended = world.poll(request(|r| r.dry_run = true)).await;
    assert_eq!(ended.settled, [("in/a".into(), Settlement::Planned)]);
    assert_eq!(world.names(), ["in/a"]);
    assert!(world.asked() == 0);
}

#[tokio::test(start_paused = true)]
async fn explain_names_the_filter_of_each_object_that_is_no_work() {
    let world = answering([]);
    world.put(&["in/folder/"], "");
    world.put(&["in/.brigade/lease"], "x");
    let ended = world.poll(request(|r| r.explain = true)).await;
    assert_eq!(
        ended.skipped,
        [("in/.brigade/lease".into(), Filter::Control), ("in/folder/".into(), Filter::Folder)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_prefix_limits_the_scan() {
    let world = answering([]).with(&["a/1", "b/1"]);
    world.poll(request(|r| r.prefix = "b/".into())).await;
    assert_eq!(world.names(), ["in/a/1", "processed/b/1"]);
}

#[tokio::test(start_paused = true)]
async fn a_negative_limit_is_refused() {
    let world = answering([]);
    let error = world
        .poller
        .start(&PollRequest { max_objects: -1, ..PollRequest::default() }, &Trigger::default());
    assert!(matches!(error, Err(PollError::Invalid { field: "max_objects", .. })));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_stream_dispatches_nothing_more_and_settles_what_is_in_flight() {
    let world = world(gated()).with(&["a", "b", "c", "d", "e", "f"]);
    let events = world.start();
    while world.worker.at_once.load(Ordering::SeqCst) < 4 {
        world.worker.entered.notified().await;
    }
    drop(events);
    let gate = world.worker.gate.as_ref().unwrap();
    for _ in 0..4 {
        gate.notify_one();
        tokio::task::yield_now().await;
    }
    let drained = world.poller.clone();
    let release = async {
        loop {
            gate.notify_one();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        () = drained.drained() => {}
        () = release => {}
    }
    assert_eq!(world.asked(), 4);
    let names = world.names();
    let count = |prefix| names.iter().filter(|name| name.starts_with(prefix)).count();
    assert_eq!((count("processed/"), count("in/")), (4, 2));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_the_poll_early() {
    let world = answering([]).with(&["a"]);
    world.shutdown.cancel();
    let ended = world.poll_all().await;
    assert_eq!(ended.reason(), EndReason::Shutdown);
    assert_eq!(world.names(), ["in/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_any_length_leaves_no_lease_behind() {
    for millis in (0..12_000).step_by(250) {
        let world = world(leased(Script::default())).with(&["a"]);
        let slow = Fault::Delay(Duration::from_millis(1_500));
        world.sim.fail_next(Operation::Create, slow);
        let deadline = Some(Duration::from_millis(millis));
        let trigger = Trigger { deadline, ..Trigger::default() };
        match world.poller.start(&PollRequest::default(), &trigger) {
            Ok(events) => drop(collect(events).await),
            Err(error) => assert!(error.needs_fix() && millis < 6_000, "{millis} ms: {error}"),
        }
        let left = world.names();
        assert!(!left.contains(&".brigade/in/lease".to_owned()), "{millis} ms: {left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_is_forbidden_ends_the_poll_with_its_error() {
    let world = answering([]).with(&["a"]);
    world.fail(1, Operation::List, Kind::PermissionDenied);
    let error = world.poll_all().await.error.unwrap();
    assert!(error.needs_fix(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_fails_for_a_moment_is_repeated() {
    let world = answering([]).with(&["a"]);
    world.fail(1, Operation::List, Kind::Unknown);
    assert_eq!(world.poll_all().await.settled.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_was_marked_before_a_crash_is_moved_without_asking_again() {
    let world = answering([("a", Answer::status(Code::Internal, "broken"))]);
    world.upload(&["a"]);
    world.fail(7, Operation::Move, Kind::Unknown);
    let first = world.poll_all().await;
    assert_eq!(first.settled, [("in/a".into(), Settlement::Retry)]);
    let second = world.poll_all().await;
    assert_eq!(second.settled, [("in/a".into(), Settlement::Failed)]);
    assert_eq!(world.asked(), 1);
    assert_eq!(world.names(), ["failed/a"]);
}

#[tokio::test(start_paused = true)]
async fn more_objects_than_a_page_holds_are_all_seen() {
    let world = answering([]);
    for n in 0..2_300 {
        world.sim.upload("data", &format!("in/{n:04}"), "1").unwrap();
    }
    let ended = world.poll_all().await;
    assert_eq!(ended.settled.len(), 2_300);
    assert_eq!(world.sim.calls(Operation::List), 3);
}
