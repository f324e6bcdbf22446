//! Whole polls over a simulated bucket and a scripted worker.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use brigade_client::answer::{Answer, Way};
use brigade_proto::v1::{
    Filter, PollFinished, PollResponse, ProcessRequest, Settlement, poll_response::Event,
};
use brigade_storage::{
    Kind, Operation, Store as _,
    sim::{Fault, Sim},
};
use tokio::sync::Notify;
use tonic::Code;

use super::*;
use crate::{clock::SystemClock, location::Location};

/// Answers by the object's name; OK unless told otherwise.
#[derive(Debug, Default)]
struct Script {
    answers: BTreeMap<&'static str, Answer>,
    asked: Mutex<Vec<String>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    /// Nobody is answered before this is told.
    gate: Option<Notify>,
    entered: Notify,
}

#[async_trait]
impl Worker for Script {
    async fn process(&self, request: ProcessRequest, _timeout: Duration) -> Answer {
        let name = request.object.unwrap_or_default().name;
        self.asked.lock().unwrap().push(name.clone());
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(now, Ordering::SeqCst);
        self.entered.notify_one();
        match &self.gate {
            Some(gate) => gate.notified().await,
            None => tokio::task::yield_now().await,
        }
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        let answer = self
            .answers
            .get(name.rsplit('/').next().unwrap_or_default());
        answer
            .cloned()
            .unwrap_or_else(|| Answer::ok(brigade_proto::v1::ProcessResponse::default()))
    }
}

struct World {
    sim: Sim,
    worker: Arc<Script>,
    poller: Poller,
    shutdown: CancellationToken,
}

fn world(worker: Script) -> World {
    let sim = Sim::new().with_bucket("data");
    let bucket = sim.bucket("data");
    let [inbox, processed, failed] =
        ["in/", "processed/", "failed/"].map(|prefix| Location::new("data", prefix));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let worker = Arc::new(worker);
    let shutdown = CancellationToken::new();
    let parts = Parts {
        filters: Filters {
            inbox: inbox.clone(),
            destinations: vec![processed.clone(), failed.clone()],
            min_age: Duration::ZERO,
            matching: None,
        },
        settler: Settler {
            inbox,
            source: bucket.clone(),
            processed,
            failed,
            processed_bucket: bucket.clone(),
            failed_bucket: bucket,
            clock: clock.clone(),
        },
        worker: worker.clone(),
        budgets: Budgets {
            concurrency: 4,
            process_timeout: Duration::from_secs(60),
            poll_deadline: Duration::from_secs(600),
            max_objects: None,
        },
        clock,
        observer: None,
    };
    World {
        sim,
        worker,
        poller: Poller::new(parts, shutdown.clone()),
        shutdown,
    }
}

fn answering(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> World {
    world(Script {
        answers: answers.into_iter().collect(),
        ..Script::default()
    })
}

impl World {
    fn upload(&self, names: &[&str]) {
        for name in names {
            self.sim.upload("data", &format!("in/{name}"), "1").unwrap();
        }
    }

    fn names(&self) -> Vec<String> {
        self.sim
            .objects("data")
            .into_iter()
            .map(|object| object.name)
            .collect()
    }

    async fn poll(&self, request: PollRequest) -> Ended {
        collect(self.poller.start(&request, &Trigger::default()).unwrap()).await
    }
}

#[derive(Debug, Default)]
struct Ended {
    settled: Vec<(String, Settlement)>,
    skipped: Vec<(String, Filter)>,
    finished: Option<PollFinished>,
    error: Option<PollError>,
}

impl Ended {
    fn reason(&self) -> EndReason {
        self.finished.as_ref().unwrap().reason()
    }
}

async fn collect(mut events: Events) -> Ended {
    let mut ended = Ended::default();
    while let Some(event) = events.recv().await {
        match event {
            Ok(PollResponse { event: Some(event) }) => match event {
                Event::Started(_) => {}
                Event::Settled(settled) => {
                    let settlement = settled.settlement();
                    ended
                        .settled
                        .push((settled.object.unwrap().name, settlement));
                }
                Event::Skipped(skipped) => {
                    let filter = skipped.filter();
                    ended.skipped.push((skipped.object.unwrap().name, filter));
                }
                Event::Finished(finished) => ended.finished = Some(finished),
            },
            Ok(PollResponse { event: None }) => panic!("an empty event"),
            Err(error) => ended.error = Some(error),
        }
    }
    ended.settled.sort();
    ended
}

#[tokio::test(start_paused = true)]
async fn each_object_goes_where_its_answer_says() {
    let world = answering([
        ("bad", Answer::status(Code::InvalidArgument, "no")),
        ("later", Answer::status(Code::Unavailable, "wait")),
        ("lost", Answer::Way(Way::CutShort("cut".into()))),
    ]);
    world.upload(&["bad", "good", "later", "lost"]);
    let ended = world.poll(PollRequest::default()).await;
    assert_eq!(
        ended.settled,
        [
            ("in/bad".into(), Settlement::Failed),
            ("in/good".into(), Settlement::Processed),
            ("in/later".into(), Settlement::Retry),
            ("in/lost".into(), Settlement::Retry),
        ]
    );
    assert_eq!(
        world.names(),
        ["failed/bad", "in/later", "in/lost", "processed/good"]
    );
    let counts = ended.finished.as_ref().unwrap().counts.unwrap();
    assert_eq!(
        (counts.found, counts.processed, counts.failed, counts.retry),
        (4, 1, 1, 2)
    );
    assert_eq!(ended.reason(), EndReason::Complete);
}

#[tokio::test(start_paused = true)]
async fn no_way_failure_moves_anything() {
    for way in [
        Way::Connect("refused".into()),
        Way::Reset("reset".into()),
        Way::Http {
            status: 500,
            retry_after: None,
        },
        Way::Http {
            status: 502,
            retry_after: None,
        },
        Way::Http {
            status: 401,
            retry_after: None,
        },
        Way::Http {
            status: 404,
            retry_after: None,
        },
        Way::CutShort("cut".into()),
        Way::Identity {
            message: "gone".into(),
            transient: false,
        },
    ] {
        let world = answering([
            ("a", Answer::Way(way.clone())),
            ("b", Answer::Way(way.clone())),
        ]);
        world.upload(&["a", "b"]);
        world.poll(PollRequest::default()).await;
        assert_eq!(world.names(), ["in/a", "in/b"], "{way:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_wiring_stops_the_poll_and_says_what_to_mend() {
    let world = answering([("a", Answer::status(Code::Unauthenticated, "bad audience"))]);
    world.upload(&["a"]);
    world.upload(
        &(0..50)
            .map(|n| format!("x{n:02}"))
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    let ended = world.poll(PollRequest::default()).await;
    let error = ended.error.expect("the poll must end with an error");
    assert!(
        error.to_string().contains("BRIGADE_ALLOWED_CALLERS"),
        "{error}"
    );
    assert!(ended.finished.is_none());
    assert!(
        world.worker.asked.lock().unwrap().len() < 10,
        "it went on asking"
    );
    assert!(world.names().contains(&"in/a".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_budget_is_in_flight() {
    let world = answering([]);
    world.upload(
        &(0..30)
            .map(|n| format!("x{n:02}"))
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    let ended = world.poll(PollRequest::default()).await;
    assert_eq!(ended.settled.len(), 30);
    assert_eq!(world.worker.most_at_once.load(Ordering::SeqCst), 4);
}

#[tokio::test(start_paused = true)]
async fn max_objects_counts_what_is_left_after_the_filters() {
    let world = answering([]);
    world.sim.upload("data", "in/folder/", "").unwrap();
    world.upload(&["a", "b", "c"]);
    let ended = world
        .poll(PollRequest {
            max_objects: 2,
            ..PollRequest::default()
        })
        .await;
    assert_eq!(ended.settled.len(), 2);
    assert_eq!(ended.reason(), EndReason::MaxObjects);
    assert!(ended.finished.unwrap().more);
    let rest = world
        .poll(PollRequest {
            max_objects: 1,
            ..PollRequest::default()
        })
        .await;
    assert_eq!(
        (rest.settled.len(), rest.reason()),
        (1, EndReason::Complete)
    );
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_asks_nobody_and_moves_nothing() {
    let world = answering([]);
    world.upload(&["a"]);
    let ended = world
        .poll(PollRequest {
            dry_run: true,
            ..PollRequest::default()
        })
        .await;
    assert_eq!(ended.settled, [("in/a".into(), Settlement::Planned)]);
    assert_eq!(world.names(), ["in/a"]);
    assert!(world.worker.asked.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn explain_names_the_filter_of_each_object_that_is_no_work() {
    let world = answering([]);
    world.sim.upload("data", "in/folder/", "").unwrap();
    world.sim.upload("data", "in/.brigade/lease", "x").unwrap();
    let ended = world
        .poll(PollRequest {
            explain: true,
            ..PollRequest::default()
        })
        .await;
    assert_eq!(
        ended.skipped,
        [
            ("in/.brigade/lease".into(), Filter::Control),
            ("in/folder/".into(), Filter::Folder)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_prefix_limits_the_scan() {
    let world = answering([]);
    world.upload(&["a/1", "b/1"]);
    world
        .poll(PollRequest {
            prefix: "b/".into(),
            ..PollRequest::default()
        })
        .await;
    assert_eq!(world.names(), ["in/a/1", "processed/b/1"]);
}

#[tokio::test(start_paused = true)]
async fn a_negative_limit_is_refused() {
    let world = answering([]);
    let error = world.poller.start(
        &PollRequest {
            max_objects: -1,
            ..PollRequest::default()
        },
        &Trigger::default(),
    );
    assert!(matches!(
        error,
        Err(PollError::Invalid {
            field: "max_objects",
            ..
        })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_stream_dispatches_nothing_more_and_settles_what_is_in_flight() {
    let world = world(Script {
        gate: Some(Notify::new()),
        ..Script::default()
    });
    world.upload(&["a", "b", "c", "d", "e", "f"]);
    let events = world
        .poller
        .start(&PollRequest::default(), &Trigger::default())
        .unwrap();
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
    assert_eq!(world.worker.asked.lock().unwrap().len(), 4);
    assert_eq!(
        world
            .names()
            .iter()
            .filter(|name| name.starts_with("processed/"))
            .count(),
        4
    );
    assert_eq!(
        world
            .names()
            .iter()
            .filter(|name| name.starts_with("in/"))
            .count(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_the_poll_early() {
    let world = answering([]);
    world.upload(&["a"]);
    world.shutdown.cancel();
    let ended = world.poll(PollRequest::default()).await;
    assert_eq!(ended.reason(), EndReason::Shutdown);
    assert_eq!(world.names(), ["in/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_leaves_no_time_to_settle_dispatches_nothing() {
    let world = answering([]);
    world.upload(&["a"]);
    let trigger = Trigger {
        deadline: Some(Duration::from_secs(3)),
        ..Trigger::default()
    };
    let ended = collect(
        world
            .poller
            .start(&PollRequest::default(), &trigger)
            .unwrap(),
    )
    .await;
    assert_eq!(ended.reason(), EndReason::Deadline);
    assert_eq!(world.names(), ["in/a"]);
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_is_forbidden_ends_the_poll_with_its_error() {
    let world = answering([]);
    world.upload(&["a"]);
    world
        .sim
        .fail_next(Operation::List, Fault::Before(Kind::PermissionDenied));
    let error = world.poll(PollRequest::default()).await.error.unwrap();
    assert!(error.needs_mending(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_heals_is_waited_for() {
    let world = answering([]);
    world.upload(&["a"]);
    world
        .sim
        .fail_next(Operation::List, Fault::Before(Kind::Unknown));
    assert_eq!(world.poll(PollRequest::default()).await.settled.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_was_marked_before_a_crash_is_moved_without_asking_again() {
    let world = answering([("a", Answer::status(Code::Internal, "broken"))]);
    world.upload(&["a"]);
    for _ in 0..7 {
        world
            .sim
            .fail_next(Operation::Move, Fault::Before(Kind::Unknown));
    }
    let first = world.poll(PollRequest::default()).await;
    assert_eq!(first.settled, [("in/a".into(), Settlement::Retry)]);
    let second = world.poll(PollRequest::default()).await;
    assert_eq!(second.settled, [("in/a".into(), Settlement::Failed)]);
    assert_eq!(world.worker.asked.lock().unwrap().len(), 1);
    assert_eq!(world.names(), ["failed/a"]);
}

#[tokio::test(start_paused = true)]
async fn more_objects_than_a_page_holds_are_all_seen() {
    let world = answering([]);
    for n in 0..2_300 {
        world
            .sim
            .upload("data", &format!("in/{n:04}"), "1")
            .unwrap();
    }
    let ended = world.poll(PollRequest::default()).await;
    assert_eq!(ended.settled.len(), 2_300);
    assert_eq!(world.sim.calls(Operation::List), 3);
}
