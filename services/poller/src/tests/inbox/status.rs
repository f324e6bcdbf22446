//! The state of the inbox.

use brigade_proto::v1::{Count, GetStatusRequest, GetStatusResponse};
use brigade_storage::Location;

use super::*;
use crate::inbox::status::status;

async fn ask(poller: &Poller, request: GetStatusRequest) -> GetStatusResponse {
    status(&poller.instance, request).await.unwrap()
}

#[allow(clippy::unnecessary_wraps, reason = "as the response has it")]
fn exactly(value: i64) -> Option<Count> {
    Some(Count { value, at_least: false })
}

#[tokio::test(start_paused = true)]
async fn the_status_counts_each_state_and_names_the_oldest_and_the_last_poll() {
    let refusing = script([
        ("bad.csv", Answer::status(Code::InvalidArgument, "no day")),
        ("later.csv", Answer::status(Code::Unavailable, "busy")),
    ]);
    let world =
        world_with(refusing, "in/", |config| config.exclude = Some("*.tmp".parse().unwrap()));
    world.upload(&["bad.csv", "good.csv", "later.csv"]);
    world.poll_within(8).await;
    world.upload(&["old.csv"]);
    // Shorter than the pause before the next try.
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.upload(&["a.csv", "x.tmp"]);
    let found = ask(&world.poller, GetStatusRequest::default()).await;
    assert_eq!((found.processed, found.failed), (exactly(1), exactly(1)));
    assert_eq!(found.left_out, exactly(1));
    assert_eq!((found.waiting, found.retrying), (exactly(2), exactly(1)));
    assert_eq!(found.oldest.unwrap().path, "old.csv");
    assert!(found.next_retry_time.unwrap().seconds > found.count_time.unwrap().seconds);
    assert_eq!(found.inbox, "gs://data/in/");
    let last = found.last_poll.unwrap();
    assert_eq!(last.finished.unwrap().counts.unwrap().processed, 1);
    assert!(last.end_time.is_some() && last.started.is_some());
    assert_eq!((found.in_flight, found.brake, found.breaker_since), (0, None, None));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_and_who_holds_the_lease_is_named_while_a_poll_runs() {
    let world = world(leased(waiting(30))).with(&["a.csv", "b.csv"]);
    let (_, found) = tokio::join!(world.poll_all(), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        ask(&world.poller, GetStatusRequest::default()).await
    });
    assert_eq!((found.in_flight, found.waiting), (2, exactly(0)));
    assert_eq!(found.longest.unwrap().in_flight.unwrap().seconds, 5);
    assert_eq!(found.holders.len(), 1);
    let later = ask(&world.poller, GetStatusRequest::default()).await;
    assert_eq!((later.in_flight, later.longest, later.holders.len()), (0, None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_count_ends_at_its_limit_and_says_so() {
    let world = world(Script::default());
    world.upload_many(2_500);
    let limited = |limit| ask(&world.poller, GetStatusRequest { limit, ..Default::default() });
    for (limit, expected) in [(1_000, true), (2_499, true), (2_500, false), (0, false)] {
        let waiting = limited(limit).await.waiting.unwrap();
        let most = if limit == 0 { 2_500 } else { limit };
        assert_eq!(waiting, Count { value: most, at_least: expected }, "{limit}");
    }
    for limit in [-1, 100_001] {
        let refused =
            status(&world.poller.instance, GetStatusRequest { limit, ..Default::default() });
        let refused = refused.await.unwrap_err().to_string();
        assert!(refused.contains("request field limit"), "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn simultaneous_and_repeated_calls_share_one_count() {
    let world = world(Script::default()).with(&["a", "b"]);
    let calls = (0..50).map(|_| ask(&world.poller, GetStatusRequest::default()));
    futures::future::join_all(calls).await;
    assert_eq!(world.pages(), 3, "one page of each place");
    tokio::time::sleep(Duration::from_secs(6)).await;
    ask(&world.poller, GetStatusRequest::default()).await;
    assert_eq!(world.pages(), 6);
}

#[tokio::test(start_paused = true)]
async fn places_with_a_date_are_counted_in_the_days_since_alone() {
    let world = world_with(Script::default(), "in/", |config| {
        config.processed = Location::new("archive", "done/{date}/");
    });
    for _ in 0..3 {
        world.upload(&["a", "b"]);
        world.poll_all().await;
        tokio::time::sleep(Duration::from_secs(86_400)).await;
    }
    let now = world.poller.instance.clock.now();
    let since = now.checked_sub(jiff::SignedDuration::from_hours(25)).unwrap();
    let since = Some(crate::wire::timestamp(since));
    let pages = world.pages();
    let found = ask(&world.poller, GetStatusRequest { since, limit: 0 }).await;
    assert_eq!(found.processed, exactly(2));
    assert!(world.pages() - pages <= 5, "the inbox, failed/ and three days at most");
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_fails_the_status_and_names_its_fix() {
    let world = world(Script::default());
    world.refuse(Operation::List, Kind::PermissionDenied);
    let error = status(&world.poller.instance, GetStatusRequest::default()).await.unwrap_err();
    insta::assert_snapshot!(error);
    assert_eq!(tonic::Status::from(error).code(), Code::FailedPrecondition);
}
