//! Whose fault it is, over real sockets and with the poller's defaults: what one file, or a worker that answers all files
//! alike, costs the others.

mod worker;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{extract::Request, middleware::map_request};
use brigade_emulator::storage::{Fault, Kind, Operation};
use brigade_poller::config::Budgets;
use brigade_proto::v1::{EndReason, PollRequest, ProcessResponse};
use brigade_runtime::serve::{Limits, serve};
use brigade_sim::Sim;
use brigade_worker::{Outcome, WorkerSettings};
use tonic::{Code, Status};
use url::Url;

use self::worker::Worker;
use crate::{
    caller::Caller,
    harness::{Polled, System, loopback, scripted, url},
};

/// A poller with its defaults, and this worker.
async fn defaults(worker: Url) -> System {
    System::tuned_at(worker, |_, settings| settings.config.budgets = Budgets::default()).await
}

impl System {
    fn lay(&self, kind: &str, count: usize) {
        for n in 0..count {
            self.upload(&format!("{kind}{n:03}"), "x");
        }
    }

    /// How many files are in this place.
    fn count(&self, prefix: &str) -> usize {
        self.names().iter().filter(|name| name.starts_with(prefix)).count()
    }
}

fn reason(polled: &Polled) -> EndReason {
    polled.finished.as_ref().unwrap().reason()
}

#[allow(clippy::unnecessary_wraps, reason = "one of the answers that may be an error")]
fn ok() -> Result<ProcessResponse, Status> {
    Ok(ProcessResponse::default())
}

/// A hundred files are processed, whatever is answered about another one.
async fn passes(odd: impl Fn() -> Result<ProcessResponse, Status> + Send + Sync + 'static) {
    let (worker, url) = Worker::start(move |name| if name == "b-odd" { odd() } else { ok() }).await;
    let system = defaults(url).await;
    system.lay("a", 20);
    system.upload("b-odd", "x");
    system.lay("z", 80);
    let polled = system.poll().await.unwrap();
    assert_eq!((reason(&polled), system.count("processed/")), (EndReason::Complete, 100));
    assert!(worker.calls_about("b-odd") <= 3, "{}", worker.calls_about("b-odd"));
    assert_eq!(system.count("incoming/b-odd"), 1, "it had one attempt");
    let metadata = system.metadata_of("incoming/b-odd").await;
    assert!(metadata.contains_key("brigade-retry-at"), "{metadata:?}");
    system.lay("c", 5);
    let polled = system.poll().await.unwrap();
    assert_eq!((reason(&polled), system.count("processed/")), (EndReason::Complete, 105));
}

#[tokio::test]
async fn one_file_that_is_answered_unimplemented_stops_no_other() {
    passes(|| Err(Status::unimplemented("no such format"))).await;
}

#[tokio::test]
async fn one_file_that_is_answered_permission_denied_stops_no_other() {
    passes(|| Err(Status::permission_denied("not this customer's"))).await;
}

#[tokio::test]
async fn one_file_whose_answer_is_too_large_stops_no_other() {
    passes(|| Ok(ProcessResponse { summary: "x".repeat(70_000), ..ProcessResponse::default() }))
        .await;
}

#[tokio::test]
async fn a_worker_with_four_places_gets_few_calls_more_than_files() {
    let processor = scripted(|_| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(400)).await;
            Ok(Outcome::default())
        })
    });
    let settings = WorkerSettings { concurrency: Some(4), ..WorkerSettings::default() };
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let count = move |request: Request| {
        counted
            .fetch_add(usize::from(request.uri().path().ends_with("/Process")), Ordering::SeqCst);
        async { request }
    };
    let routes = brigade_worker::routes(processor, Arc::new(Sim::default()), &settings);
    let routes = routes.layer(map_request(count));
    let listener = loopback().await;
    let system = defaults(url(&listener)).await;
    tokio::spawn(serve(listener, routes, Limits::default(), std::future::pending()));
    system.lay("a", 40);
    let polled = system.poll().await.unwrap();
    assert_eq!((reason(&polled), system.count("processed/")), (EndReason::Complete, 40));
    let calls = calls.load(Ordering::SeqCst);
    assert!(calls <= 60, "{calls} calls about 40 files");
}

#[tokio::test]
async fn a_worker_that_asks_for_time_about_every_file_costs_no_file() {
    let asked = AtomicUsize::new(0);
    let (worker, url) = Worker::start(move |_| {
        if asked.fetch_add(1, Ordering::SeqCst) < 12 {
            return Err(Status::unavailable("the database restarts"));
        }
        ok()
    })
    .await;
    let system = defaults(url).await;
    system.lay("a", 100);
    let polled = system.poll().await.unwrap();
    assert_eq!((reason(&polled), system.count("processed/")), (EndReason::Complete, 100));
    assert!(worker.calls() <= 112, "{}", worker.calls());
    let mut attempts = Vec::new();
    for name in system.names() {
        let metadata = system.metadata_of(&name).await;
        attempts.extend(metadata.get("brigade-attempts").filter(|count| *count != "0").cloned());
    }
    assert!(attempts.len() <= 2, "attempts were counted: {attempts:?}");
}

#[tokio::test]
async fn a_broken_deployment_costs_no_more_files_than_the_brake_allows() {
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = is_broken.clone();
    let (worker, url) = Worker::start(move |_| {
        if broken.load(Ordering::SeqCst) {
            return Err(Status::new(Code::Internal, "ModuleNotFoundError: No module named 'app'"));
        }
        ok()
    })
    .await;
    let system = defaults(url).await;
    system.lay("a", 200);
    let polled = system.poll().await.unwrap();
    assert_eq!(reason(&polled), EndReason::Brake);
    let failed = system.count("failed/");
    assert!((1..=25).contains(&failed), "{failed} files failed");
    let brake = polled.finished.unwrap().brake.unwrap();
    assert!(brake.reasons[0].reason.contains("ModuleNotFoundError"), "{brake:?}");

    let asked = worker.calls();
    let generation = system.upload("new", "x");
    let event = Caller::new(&system).announce("new", generation).await;
    assert!(event.status == 503 && event.retry_after > Some(0), "{event:?}");
    let polled = system.poll().await.unwrap();
    assert_eq!((reason(&polled), worker.calls()), (EndReason::Brake, asked));

    is_broken.store(false, Ordering::SeqCst);
    let lifting = PollRequest { ignore_brake: true, ..PollRequest::default() };
    let polled = system.poll_with(&system.client(), lifting).await.unwrap();
    assert_eq!(reason(&polled), EndReason::Complete);
    assert_eq!(system.count("processed/"), 201 - failed);
    assert_eq!(system.count("incoming/"), 0);
}

#[tokio::test]
async fn twenty_deliveries_of_a_file_that_storage_does_not_move_are_one_run() {
    let (worker, url) = Worker::start(|_| ok()).await;
    let system = defaults(url).await;
    let refused = system.fault(Operation::Move, Fault::before(Kind::Invalid).times(100));
    let generation = system.upload("a", "x");
    let caller = Caller::new(&system);
    for _ in 0..20 {
        let event = caller.announce("a", generation).await;
        assert!(event.status == 503 && event.retry_after > Some(0), "{event:?}");
    }
    assert!(refused.count() > 0);
    assert_eq!((worker.calls(), system.names()), (1, vec!["incoming/a".to_owned()]));
}
