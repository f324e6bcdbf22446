//! Calls of one key that come together.

use std::sync::atomic::{AtomicUsize, Ordering};

use brigade_sim::Sim;
use brigade_storage::Object;
use tokio::{sync::Notify, task::JoinHandle};

use super::*;
use crate::{
    in_flight::SharedResult,
    tests::fixtures::{BUCKET, HOUR, TellsWhenDropped, one_at_a_time, request, sim},
};

/// Begins, says so, and waits for leave to go on.
#[derive(Default)]
struct Waits {
    runs: AtomicUsize,
    begun: Notify,
    go_on: Notify,
    dropped: Arc<Notify>,
}

impl Processor for Waits {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        let _tells = TellsWhenDropped(self.dropped.clone());
        let run = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        job.progress(format!("step {run} of 2\nand more"));
        self.begun.notify_one();
        self.go_on.notified().await;
        assert!(job.object().name != "panic", "no {}", job.object().name);
        Ok(Outcome::summary(format!("run {run}")))
    }
}

struct World {
    runner: Arc<Runner<Arc<Waits>>>,
    processor: Arc<Waits>,
    sim: Sim,
}

impl World {
    /// Of a worker that does one object at a time.
    fn new() -> Self {
        let (processor, sim) = (Arc::new(Waits::default()), sim());
        let runner = Runner::new(processor.clone(), Arc::new(sim.clone()), &one_at_a_time());
        Self { runner, processor, sim }
    }

    fn upload(&self, name: &str) -> Object {
        self.sim.upload(BUCKET, name, "x").unwrap()
    }

    /// A caller who waits for this long.
    fn call(&self, object: &Object, budget: Option<Duration>) -> JoinHandle<SharedResult> {
        let (runner, request) = (self.runner.clone(), request(object));
        tokio::spawn(async move { runner.run(request, budget).await })
    }

    /// Two callers of one run.
    async fn two(&self, object: &Object) -> (JoinHandle<SharedResult>, JoinHandle<SharedResult>) {
        let first = self.call(object, None);
        self.processor.begun.notified().await;
        let second = self.call(object, None);
        joined().await;
        (first, second)
    }

    fn runs(&self) -> usize {
        self.processor.runs.load(Ordering::SeqCst)
    }
}

/// Long enough for a task that has nothing to wait for: they take turns on one thread.
async fn joined() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

fn summary(answer: Result<SharedResult, tokio::task::JoinError>) -> String {
    answer.unwrap().unwrap().summary
}

#[tokio::test]
async fn two_calls_at_once_are_one_run_and_get_the_same_answer() {
    let world = World::new();
    let object = world.upload("a");
    let (first, second) = world.two(&object).await;
    world.processor.go_on.notify_one();
    assert_eq!(summary(first.await), "run 1");
    assert_eq!(summary(second.await), "run 1");
    assert_eq!(world.runs(), 1);
}

#[tokio::test]
async fn a_failure_is_the_answer_to_both() {
    let world = World::new();
    let object = world.upload("panic");
    let (first, second) = world.two(&object).await;
    world.processor.go_on.notify_one();
    for call in [first, second] {
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(error.message(), "the processor panicked: no panic");
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_the_run_to_the_one_who_waits() {
    for goes in [0, 1] {
        let world = World::new();
        let object = world.upload("a");
        let (first, second) = world.two(&object).await;
        let mut calls = vec![first, second];
        let gone = calls.remove(goes);
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        joined().await;
        world.processor.go_on.notify_one();
        assert_eq!(summary(calls.remove(0).await), "run 1");
    }
}

#[tokio::test]
async fn when_all_have_gone_away_the_run_is_stopped_and_the_next_call_is_another() {
    let world = World::new();
    let object = world.upload("a");
    let (first, second) = world.two(&object).await;
    first.abort();
    second.abort();
    world.processor.dropped.notified().await;
    joined().await;
    let third = world.call(&object, None);
    world.processor.begun.notified().await;
    world.processor.go_on.notify_one();
    assert_eq!(summary(third.await), "run 2");
}

#[tokio::test]
async fn a_call_after_the_answer_is_a_run_of_its_own() {
    let world = World::new();
    let object = world.upload("a");
    for run in ["run 1", "run 2"] {
        let call = world.call(&object, None);
        world.processor.begun.notified().await;
        world.processor.go_on.notify_one();
        assert_eq!(summary(call.await), run);
    }
}

#[tokio::test]
async fn another_generation_is_another_run_and_finds_the_worker_full() {
    let world = World::new();
    let old = world.upload("a");
    let first = world.call(&old, None);
    world.processor.begun.notified().await;
    let error = world.call(&world.upload("a"), None).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert_eq!(error.delay(), None);
    world.processor.go_on.notify_one();
    assert_eq!(summary(first.await), "run 1");
}

#[tokio::test(start_paused = true)]
async fn each_caller_has_a_deadline_of_its_own_and_the_last_one_ends_the_run() {
    let world = World::new();
    let object = world.upload("a");
    let began = Instant::now();
    let minute = Duration::from_secs(60);
    let first = world.call(&object, Some(minute));
    world.processor.begun.notified().await;
    let second = world.call(&object, Some(2 * minute));
    let error = first.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), began.elapsed().as_secs()), (ErrorKind::DeadlineExceeded, 60));
    assert_eq!(error.message(), "the processor did not end within 60s: step 1 of 2");
    let error = second.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), began.elapsed().as_secs()), (ErrorKind::DeadlineExceeded, 120));
    world.processor.dropped.notified().await;
}

#[tokio::test(start_paused = true)]
async fn joining_late_makes_no_run_longer_than_the_worker_lets_it() {
    let world = World::new();
    let object = world.upload("a");
    let began = Instant::now();
    let first = world.call(&object, None);
    world.processor.begun.notified().await;
    tokio::time::sleep(HOUR / 2).await;
    let second = world.call(&object, Some(HOUR));
    for call in [first, second] {
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DeadlineExceeded);
    }
    assert_eq!(began.elapsed().as_secs(), HOUR.as_secs());
}

struct Unanswerable;

impl From<Unanswerable> for ProcessError {
    fn from(_: Unanswerable) -> Self {
        panic!("no code 17")
    }
}

struct Fails;

impl Processor for Fails {
    type Error = Unanswerable;

    async fn process(&self, _: &Job) -> Result<Outcome, Unanswerable> {
        Err(Unanswerable)
    }
}

#[tokio::test]
async fn an_error_that_panics_when_it_is_asked_what_it_means_is_a_panic_of_the_processor() {
    let error = crate::testing::TestWorker::new(Fails).process("a", "x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(error.message(), "the processor panicked: no code 17");
}
