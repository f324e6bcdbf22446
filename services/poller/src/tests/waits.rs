//! Whose fault it is when a worker asks for time, is full, is away, or answers everything alike.

use std::sync::Mutex;

use async_trait::async_trait;
use brigade_client::answer::WorkerAnswer;
use brigade_proto::v1::{ProcessRequest, ProcessResponse};
use tokio::time::{Instant, advance, sleep};

use super::{
    world::{Ended, config},
    *,
};
use crate::{config::Budgets, dispatch::Worker, mark};

/// How long a call takes, and its answer: from the object's name, the seconds since the beginning, and the other calls in
/// flight.
type Says = fn(&str, u64, usize) -> (Duration, Answer);

/// A worker whose answers depend on the time, and on how many calls it has.
#[derive(Debug)]
struct Moody {
    began: Instant,
    says: Says,
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    in_flight: usize,
    /// When each call came, in seconds.
    all: Vec<u64>,
}

#[async_trait]
impl Worker for Moody {
    async fn process(&self, request: ProcessRequest, timeout: Duration) -> Answer {
        let name = request.object.unwrap_or_default().name;
        let (time, answer) = {
            let mut calls = self.calls.lock().unwrap();
            let second = self.began.elapsed().as_secs();
            let said = (self.says)(&name, second, calls.in_flight);
            calls.all.push(second);
            calls.in_flight += 1;
            said
        };
        sleep(time.min(timeout)).await;
        self.calls.lock().unwrap().in_flight -= 1;
        if time > timeout { Answer::TimedOut(timeout) } else { answer }
    }

    async fn is_reachable(&self, _timeout: Duration) -> bool {
        true
    }
}

struct World {
    sim: brigade_sim::Sim,
    poller: Poller,
    worker: Arc<Moody>,
}

impl World {
    /// `count` files, within the default limits.
    fn new(count: usize, says: Says) -> Self {
        let worker = Arc::new(Moody { began: Instant::now(), says, calls: Mutex::default() });
        let config = crate::config::Config { budgets: Budgets::default(), ..config("in/") };
        let (sim, poller) = poller_of(worker.clone(), config);
        for n in 0..count {
            sim.upload("data", &format!("in/x{n:05}"), "1").unwrap();
        }
        Self { sim, poller: poller.lease(false), worker }
    }

    async fn poll(&self) -> Ended {
        collect(self.poller.start(&PollRequest::default(), &Trigger::default()).unwrap()).await
    }

    /// Polls once a minute.
    async fn poll_for(&self, minutes: u32) {
        for _ in 0..minutes {
            self.poll().await;
            advance(Duration::from_mins(1)).await;
        }
    }

    fn count(&self, prefix: &str) -> usize {
        let objects = self.sim.objects("data").into_iter();
        objects.filter(|object| object.name.starts_with(prefix)).count()
    }

    fn calls(&self) -> usize {
        self.worker.calls.lock().unwrap().all.len()
    }

    fn calls_before(&self, second: u64) -> usize {
        let calls = self.worker.calls.lock().unwrap();
        calls.all.iter().filter(|at| **at < second).count()
    }
}

const NO_TIME: Duration = Duration::ZERO;

fn ok() -> Answer {
    Answer::ok(ProcessResponse::default())
}

fn asking(code: Code, wish: Option<u64>, is_storage: bool) -> Answer {
    Answer::Worker(Box::new(WorkerAnswer {
        code,
        message: "later".into(),
        retry_after: wish.map(Duration::from_secs),
        response: ProcessResponse::default(),
        http_status: None,
        is_storage,
        kind: String::new(),
        exit: String::new(),
    }))
}

#[tokio::test(start_paused = true)]
async fn the_wish_of_a_full_worker_slows_all_calls() {
    let world = World::new(20_000, |_, _, others| match others {
        0 => (Duration::from_millis(500), ok()),
        _ => (NO_TIME, asking(Code::ResourceExhausted, Some(1), false)),
    });
    let trigger = Trigger { deadline: Some(Duration::from_secs(15)), ..Trigger::default() };
    collect(world.poller.start(&PollRequest::default(), &trigger).unwrap()).await;
    let calls = world.calls_before(10);
    assert!(calls <= 60, "{calls} calls in the first 10 s");
    assert!(world.count("processed/") >= 5, "{}", world.count("processed/"));
}

#[tokio::test(start_paused = true)]
async fn a_worker_with_few_places_is_asked_for_as_much_as_it_takes() {
    let world = World::new(40, |_, _, others| match others {
        0..4 => (Duration::from_millis(400), ok()),
        _ => (NO_TIME, asking(Code::ResourceExhausted, None, false)),
    });
    let began = Instant::now();
    assert_eq!(world.poll().await.reason(), EndReason::Complete);
    assert_eq!(world.count("processed/"), 40);
    let (time, calls) = (began.elapsed(), world.calls());
    assert!(time < Duration::from_secs(5), "{time:?}; the ideal is 4 s");
    assert!(calls <= 52, "{calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_asks_for_time_about_everything_costs_no_file_an_attempt_but_two() {
    let world = World::new(900, |_, second, _| match second {
        0..600 => (NO_TIME, asking(Code::Unavailable, None, false)),
        _ => (NO_TIME, ok()),
    });
    while world.worker.began.elapsed() < Duration::from_mins(9) {
        world.poll().await;
        advance(Duration::from_secs(10)).await;
    }
    let objects = world.sim.objects("data").into_iter();
    let attempts = objects.filter(|object| object.metadata.contains_key(mark::ATTEMPTS));
    assert_eq!(attempts.count(), 2);
    world.poll_for(12).await;
    assert_eq!((world.count("processed/"), world.count("failed/")), (900, 0));
    assert!(world.calls_before(600) < 100, "{} calls", world.calls_before(600));
}

#[tokio::test(start_paused = true)]
async fn files_that_always_ask_for_time_hold_no_others() {
    let world = World::new(300, |name, _, _| {
        let answer =
            if name < "in/x00200" { asking(Code::Unavailable, Some(32_400), false) } else { ok() };
        (NO_TIME, answer)
    });
    world.poll_for(60).await;
    assert_eq!(world.count("processed/"), 100);
}

#[tokio::test(start_paused = true)]
async fn files_that_ask_for_time_beside_accepted_ones_have_their_attempts() {
    let world = World::new(20, |name, _, _| match name.strip_suffix('3') {
        Some(_) => (NO_TIME, asking(Code::Unavailable, None, false)),
        None => (NO_TIME, ok()),
    });
    world.poll_for(60).await;
    assert_eq!((world.count("processed/"), world.count("failed/")), (18, 2));
}

#[tokio::test(start_paused = true)]
async fn storage_that_fails_the_worker_costs_no_attempt() {
    let world = World::new(100, |_, second, _| match second {
        0..300 => (NO_TIME, asking(Code::Unavailable, None, true)),
        _ => (NO_TIME, ok()),
    });
    world.poll_for(12).await;
    assert_eq!((world.count("processed/"), world.count("failed/")), (100, 0));
    assert!(world.calls_before(300) < 100, "{} calls", world.calls_before(300));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_storage_never_lets_the_worker_read_is_put_off_and_fails_after_a_day() {
    let world = World::new(20, |name, _, _| match name {
        "in/x00003" => (NO_TIME, asking(Code::Unavailable, None, true)),
        _ => (NO_TIME, ok()),
    });
    world.poll().await;
    assert_eq!(world.count("processed/"), 19);
    for hour in 0..24 {
        for _ in 0..6 {
            world.poll().await;
            advance(Duration::from_mins(10)).await;
        }
        // Others are read all the time.
        world.sim.upload("data", &format!("in/y{hour:05}"), "1").unwrap();
    }
    advance(Duration::from_mins(70)).await;
    world.poll().await;
    assert_eq!((world.count("in/"), world.count("failed/")), (0, 1));
    let failed = world.sim.objects("data").into_iter().find(|o| o.name.starts_with("failed/"));
    let marks = failed.unwrap().metadata;
    let reason = &marks[mark::REASON];
    assert!(reason.contains("h storage has not let the worker read"), "{reason}");
    assert_eq!(marks[mark::KIND], "storage-unavailable");
    assert!(world.calls() < 100, "{} calls", world.calls());
}

#[tokio::test(start_paused = true)]
async fn a_file_that_hangs_counts_its_attempts_however_late_its_calls_begin() {
    let world = World::new(3, |name, _, _| match name {
        "in/x00000" => (Duration::from_hours(2), ok()),
        _ => (NO_TIME, ok()),
    });
    world.sim.set_faults(|call: &brigade_sim::Call| {
        (call.operation == Operation::List).then_some(Fault::Delay(Duration::from_millis(1_200)))
    });
    world.poll_for(14).await;
    assert_eq!((world.count("processed/"), world.count("failed/")), (2, 1));
    assert_eq!(world.calls(), 2 + 5);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_may_be_about_the_wiring_stops_no_poll_while_others_are_accepted() {
    for answer in [
        Answer::status(Code::Unimplemented, "no"),
        Answer::status(Code::PermissionDenied, "no"),
        Answer::TooLarge { key: "data/in/x00007#8".into(), found: "70 KiB".into() },
        Answer::Transport(TransportError::Http { status: 404, retry_after: None }),
        Answer::Transport(TransportError::Page { status: 200, title: "Sign in".into() }),
    ] {
        let worker = script([("x007", answer.clone())]);
        let world = world_with(worker, "in/", |config| config.budgets = Budgets::default());
        world.upload_many(101);
        let ended = world.poll_all().await;
        assert_eq!(ended.reason(), EndReason::Complete, "{answer:?}");
        for _ in 0..10 {
            advance(Duration::from_hours(1)).await;
            // Others are accepted now and then.
            world.upload(&["good"]);
            world.poll_all().await;
        }
        let names = world.names().into_iter();
        let left: Vec<_> = names.filter(|name| !name.starts_with("processed/")).collect();
        assert_eq!(left, ["failed/x007"], "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_written_before_a_stop_ends_the_poll() {
    let worker = script([
        ("a", Answer::status(Code::Unavailable, "later")),
        ("b", Answer::status(Code::Unauthenticated, "not you")),
    ]);
    let world = world(worker).with(&["a", "b"]);
    assert!(world.poll_all().await.error.is_some());
    assert_eq!(world.written(mark::ATTEMPTS), "1");
}

/// The connection breaks each 100 s, whatever is at work.
fn killed_each_100_s(work: u64, second: u64) -> (Duration, Answer) {
    let left = 100 - second % 100;
    if work <= left {
        (Duration::from_secs(work), ok())
    } else {
        (Duration::from_secs(left), Answer::Transport(TransportError::Reset("killed".into())))
    }
}

#[tokio::test(start_paused = true)]
async fn files_that_take_longer_than_a_worker_lives_do_not_fail() {
    let world = World::new(20, |_, second, _| killed_each_100_s(150, second));
    world.poll_for(60).await;
    assert_eq!((world.count("in/"), world.count("failed/")), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn short_files_beside_them_pass_and_none_fails() {
    let world = World::new(200, |name, second, _| {
        killed_each_100_s(if name.ends_with('7') { 150 } else { 1 }, second)
    });
    world.poll_for(60).await;
    assert_eq!((world.count("processed/"), world.count("failed/")), (180, 0));
}

#[tokio::test(start_paused = true)]
async fn a_brake_ends_no_poll_of_an_empty_inbox_and_holds_the_next_files() {
    let world = World::new(25, |_, _, _| (NO_TIME, Answer::status(Code::Internal, "no")));
    assert_eq!(world.poll().await.reason(), EndReason::Brake);
    assert_eq!(world.count("failed/"), 25);
    advance(Duration::from_mins(2)).await;
    assert_eq!(world.poll().await.reason(), EndReason::Complete);
    for n in 0..10 {
        world.sim.upload("data", &format!("in/y{n:05}"), "1").unwrap();
    }
    assert_eq!(world.poll().await.reason(), EndReason::Brake);
    assert_eq!((world.count("failed/"), world.count("in/")), (30, 5), "a probe of five");
}
