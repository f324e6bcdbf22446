//! Duplicates, redeliveries, and a sweep at the same time: nothing is settled twice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use brigade_proto::v1::{PollRequest, Settlement, poll_response::Event};
use brigade_worker::{Outcome, Processor};
use futures::{StreamExt as _, stream};
use tokio::sync::broadcast::error::TryRecvError;

use crate::{
    caller::{Caller, push},
    harness::{System, scripted},
};

/// Accepts everything, after a moment, and counts how often it is asked.
fn counting(asked: &Arc<AtomicUsize>) -> impl Processor + use<> {
    let asked = asked.clone();
    scripted(move |_| {
        asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(Outcome::default())
        })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_duplicates_of_one_event_ask_the_worker_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let system = System::with_processor(counting(&asked)).await;
    let generation = system.upload("a", "x");
    let caller = Caller::new(&system);
    let (headers, body) = push("incoming/a", generation);
    let deliveries = stream::iter(0..10_000)
        .map(|_| caller.post("events", &headers, body.clone()))
        .buffer_unordered(100);
    let refused = deliveries.filter(|answer| std::future::ready(answer.status != 204));
    assert_eq!(refused.count().await, 0);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(system.names(), ["processed/a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_and_twice_announced_objects_at_once_settle_each_once() {
    const OBJECTS: usize = 100;
    let asked = Arc::new(AtomicUsize::new(0));
    let system = System::with_processor(counting(&asked)).await;
    let mut events_seen = system.events.subscribe();
    let objects: Vec<_> =
        (0..OBJECTS).map(|n| (format!("{n:03}"), system.upload(&format!("{n:03}"), "x"))).collect();
    let caller = Caller::new(&system);
    let events = stream::iter(objects.iter().chain(&objects))
        .map(|(name, generation)| caller.announce(name, *generation))
        .buffer_unordered(16)
        .map(|answer| assert_eq!(answer.status, 204, "{}", answer.body))
        .collect::<Vec<_>>();
    let (polled, _) = tokio::join!(system.poll(), events);
    polled.unwrap();

    let mut settled = 0;
    loop {
        match events_seen.try_recv() {
            Ok(response) => {
                if let Some(Event::Settled(one)) = response.event {
                    match one.settlement() {
                        Settlement::Processed => settled += 1,
                        Settlement::Superseded => {}
                        other => panic!("{other:?}: {}", one.reason),
                    }
                }
            }
            Err(TryRecvError::Empty) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(settled, OBJECTS);
    assert_eq!(asked.load(Ordering::SeqCst), OBJECTS, "one instance asks once a generation");
    let names = system.names();
    assert_eq!(names.iter().filter(|name| name.starts_with("processed/")).count(), OBJECTS);
    assert_eq!(names.len(), OBJECTS, "no second copy, and nothing left");
}

#[tokio::test]
async fn the_minimum_age_of_polls_keeps_the_sweep_off_what_an_event_is_on_its_way_for() {
    let asked = Arc::new(AtomicUsize::new(0));
    let system = System::tuned(counting(&asked), |_, settings| {
        settings.config.poll_min_age = Duration::from_secs(3600);
    })
    .await;
    let generation = system.upload("a", "x");
    let explain = PollRequest { explain: true, ..PollRequest::default() };
    let mut events = system.client().poll(explain).await.unwrap();
    let mut skipped = Vec::new();
    while let Some(response) = events.message().await.unwrap() {
        if let Some(Event::Skipped(one)) = response.event {
            skipped.push(one.filter().as_str_name());
        }
    }
    assert_eq!(skipped, ["FILTER_MIN_AGE"]);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let answer = Caller::new(&system).announce("a", generation).await;
    assert_eq!(answer.status, 204);
    assert_eq!(system.names(), ["processed/a"]);
}
