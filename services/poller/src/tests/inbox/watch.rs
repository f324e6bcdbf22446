//! Events as they happen.

use brigade_proto::v1::watch_events_response::Event;
use futures::{Stream, StreamExt as _};
use tonic::Status;

use super::*;
use crate::inbox::watch::watch;

/// The next event in short.
async fn next(
    events: &mut (impl Stream<Item = Result<brigade_proto::v1::WatchEventsResponse, Status>> + Unpin),
) -> String {
    match events.next().await {
        None => "end".to_owned(),
        Some(Err(status)) => format!("{:?}", status.code()),
        Some(Ok(response)) => match response.event.unwrap() {
            Event::Snapshot(snapshot) => format!("snapshot of {}", snapshot.count),
            Event::Poll(poll) => match poll.event.unwrap() {
                brigade_proto::v1::poll_response::Event::Started(_) => "started".to_owned(),
                brigade_proto::v1::poll_response::Event::Settled(settled) => {
                    format!("settled {}", settled.object.unwrap().name)
                }
                brigade_proto::v1::poll_response::Event::Skipped(_) => "skipped".to_owned(),
                brigade_proto::v1::poll_response::Event::Finished(_) => "finished".to_owned(),
            },
            Event::Dispatched(object) => format!("dispatched {}", object.path),
            Event::Missed(missed) => format!("missed {missed}"),
            Event::Heartbeat(_) => "heartbeat".to_owned(),
        },
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_sees_what_is_in_flight_and_then_each_event_in_order() {
    let world = world(waiting(5)).with(&["a.csv"]);
    let poll = world.start();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut late = Box::pin(watch(&world.poller.instance).unwrap());
    assert_eq!(next(&mut late).await, "snapshot of 1");
    collect(poll).await;
    assert_eq!(next(&mut late).await, "settled in/a.csv");
    assert_eq!(next(&mut late).await, "finished");
    world.upload(&["b.csv"]);
    world.poll_all().await;
    for event in
        ["started", "dispatched b.csv", "settled in/b.csv", "finished", "heartbeat", "heartbeat"]
    {
        assert_eq!(next(&mut late).await, event);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_is_not_shown_to_watchers_and_is_not_the_last_poll() {
    let world = world(Script::default()).with(&["a.csv"]);
    let mut events = Box::pin(watch(&world.poller.instance).unwrap());
    let planned = world.poll(request(|request| request.dry_run = true)).await;
    assert_eq!(planned.settled.len(), 1);
    assert!(world.poller.instance.activity.last_poll().is_none());
    world.poll_all().await;
    for event in ["snapshot of 0", "started", "dispatched a.csv", "settled in/a.csv", "finished"] {
        assert_eq!(next(&mut events).await, event);
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_is_slow_learns_how_many_events_it_missed() {
    let world = world(Script::default());
    let mut slow = Box::pin(watch(&world.poller.instance).unwrap());
    world.upload_many(600);
    world.poll_all().await;
    assert_eq!(next(&mut slow).await, "snapshot of 0");
    // The start, the end, and two of each object.
    assert_eq!(next(&mut slow).await, format!("missed {}", 1_202 - 1_024));
    assert_eq!(next(&mut slow).await, "snapshot of 0");
}

#[tokio::test(start_paused = true)]
async fn sixteen_may_watch_and_each_that_ends_makes_room_for_another() {
    let world = world(Script::default());
    let mut watchers: Vec<_> =
        (0..16).map(|_| watch(&world.poller.instance).ok().unwrap()).collect();
    let refused = watch(&world.poller.instance).err().unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    watchers.pop();
    assert!(watch(&world.poller.instance).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_every_watcher_at_once() {
    let world = world(Script::default());
    let mut events = Box::pin(watch(&world.poller.instance).unwrap());
    assert_eq!(next(&mut events).await, "snapshot of 0");
    let began = tokio::time::Instant::now();
    world.shutdown.cancel();
    assert_eq!(next(&mut events).await, "Unavailable");
    assert_eq!(next(&mut events).await, "end");
    assert!(began.elapsed() < Duration::from_secs(1));
}
