//! Whose fault it is, over hours of polls.

use std::sync::Mutex;

use async_trait::async_trait;
use brigade_proto::v1::{ProcessRequest, ProcessResponse};
use brigade_sim::Sim;
use brigade_storage::Location;
use tokio::time::{Instant, sleep};

use super::{
    world::{Ended, SimTime},
    *,
};
use crate::{config::Config, dispatch::Worker, mark};

const MINUTE: Duration = Duration::from_mins(1);

/// Answers about an object by its name, so long after the first moment of the test. Nothing: its process dies.
type Answers = fn(&str, Duration) -> Answer;

/// A worker whose process is back one second after it died.
#[derive(Debug)]
struct Life {
    answers: Answers,
    began: Instant,
    /// Until when it is away.
    away: Mutex<Instant>,
    asked: Mutex<Vec<(String, Instant)>>,
}

#[async_trait]
impl Worker for Life {
    async fn process(&self, request: ProcessRequest, timeout: Duration) -> Answer {
        if Instant::now() < *self.away.lock().unwrap() {
            return Answer::Transport(TransportError::Connect("connection refused".into()));
        }
        let name = request.object.unwrap_or_default().name;
        self.asked.lock().unwrap().push((name.clone(), Instant::now()));
        sleep(Duration::from_millis(20).min(timeout)).await;
        let answer = (self.answers)(name.trim_start_matches("in/"), self.began.elapsed());
        if matches!(answer, Answer::Transport(_)) {
            *self.away.lock().unwrap() = Instant::now() + Duration::from_secs(1);
        }
        answer
    }

    async fn is_reachable(&self, _timeout: Duration) -> bool {
        Instant::now() >= *self.away.lock().unwrap()
    }
}

/// The poller with its defaults.
struct Defaults {
    sim: Sim,
    worker: Arc<Life>,
    poller: Poller,
}

impl Defaults {
    fn new(answers: Answers) -> Self {
        let sim = Sim::new().with_bucket("data");
        let now = Instant::now();
        let worker = Life { answers, began: now, away: Mutex::new(now), asked: Mutex::default() };
        let worker = Arc::new(worker);
        let poller =
            Poller::new(Config::for_inbox(Location::new("data", "in/")), &sim, worker.clone())
                .clock(Arc::new(SimTime(sim.clone())));
        Self { sim, worker, poller }
    }

    fn upload(&self, count: usize, kind: &str) {
        for n in 0..count {
            self.sim.upload("data", &format!("in/{kind}{n:04}"), "x").unwrap();
        }
    }

    async fn poll(&self) -> Ended {
        collect(self.poller.start(&PollRequest::default(), &Trigger::default()).unwrap()).await
    }

    /// How many are in this place.
    fn count(&self, prefix: &str) -> usize {
        let objects = self.sim.objects("data").into_iter();
        objects.filter(|object| object.name.starts_with(prefix)).count()
    }

    fn asked(&self) -> usize {
        self.worker.asked.lock().unwrap().len()
    }
}

fn ok() -> Answer {
    Answer::ok(ProcessResponse::default())
}

fn dies() -> Answer {
    Answer::Transport(TransportError::CutShort("connection closed".into()))
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_back_is_asked_by_the_next_poll_however_long_it_was_away() {
    for n in 0..20 {
        let world = Defaults::new(|_, _| ok());
        world.upload(20, "good");
        *world.worker.away.lock().unwrap() = Instant::now() + Duration::from_hours(1);
        assert!(world.poll().await.error.is_some());
        *world.worker.away.lock().unwrap() = Instant::now() + n * Duration::from_millis(100);
        assert_eq!(world.poll().await.reason(), EndReason::Complete);
        assert_eq!(world.count("processed/"), 20);
    }
}

#[tokio::test(start_paused = true)]
async fn a_poison_file_with_nothing_beside_it_ends_in_failed() {
    let world = Defaults::new(|_, _| dies());
    world.upload(1, "poison");
    let began = Instant::now();
    while world.count("in/") > 0 {
        assert!(began.elapsed() < Duration::from_hours(1), "{} calls", world.asked());
        world.poll().await;
        sleep(MINUTE).await;
    }
    assert!(began.elapsed() >= Duration::from_mins(5), "too soon to know");
    assert!(world.asked() < 20, "{}", world.asked());
    let failed = world.sim.objects("data").remove(0);
    assert_eq!(failed.name, "failed/poison0000");
    let reason = &failed.metadata["brigade-reason"];
    assert!(reason.contains("the worker's process or its connection ended"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_poison_file_in_the_midst_of_others_delays_none_and_ends_in_failed() {
    let world = Defaults::new(|name, _| if name.contains("poison") { dies() } else { ok() });
    world.upload(100, "a");
    world.upload(1, "poison");
    world.upload(100, "z");
    for polls in 1.. {
        assert!(polls <= 8, "{} calls", world.asked());
        world.poll().await;
        assert!(polls < 3 || world.count("processed/") == 200, "{polls} polls");
        if world.count("in/") == 0 {
            break;
        }
        sleep(MINUTE).await;
    }
    assert_eq!(world.count("failed/poison"), 1);
    assert!(world.asked() < 220, "{}", world.asked());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_asks_for_time_for_ten_minutes_fails_no_file() {
    let world = Defaults::new(|_, after| {
        if after < 10 * MINUTE {
            Answer::status(Code::Unavailable, "database restarts")
        } else {
            ok()
        }
    });
    world.upload(900, "good");
    let mut before = 0;
    while world.count("in/") > 0 {
        assert!(world.worker.began.elapsed() < Duration::from_mins(40), "{}", world.asked());
        world.poll().await;
        if world.worker.began.elapsed() < 10 * MINUTE {
            before = world.asked();
        }
        let attempts = world.sim.objects("data").iter().map(mark::attempts).sum::<u32>();
        assert!(attempts <= 2, "{attempts} attempts");
        sleep(MINUTE).await;
    }
    assert_eq!(world.count("processed/"), 900);
    assert!(before < 100, "it was asked {before} times while it wanted time");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_asks_for_time_for_five_seconds_is_called_again_soon_after() {
    let world = Defaults::new(|_, after| {
        if (1..6).contains(&after.as_secs()) {
            Answer::status(Code::Unavailable, "database restarts")
        } else {
            ok()
        }
    });
    world.upload(5_000, "good");
    assert_eq!(world.poll().await.reason(), EndReason::Complete);
    assert_eq!(world.count("processed/"), 5_000);
    let took = world.worker.began.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn ten_good_files_behind_a_thousand_bad_ones_are_done_within_two_probes() {
    let world = Defaults::new(|name, _| {
        if name.starts_with("bad") { Answer::status(Code::Internal, "broken") } else { ok() }
    });
    world.upload(1_000, "bad");
    let mut probes = 0;
    let mut good_after = None;
    while world.count("in/") > 0 {
        assert!(
            world.worker.began.elapsed() < Duration::from_hours(4),
            "{} left",
            world.count("in/")
        );
        let asked = world.asked();
        let ended = world.poll().await;
        let is_first = asked == 0;
        if is_first {
            assert_eq!(ended.reason(), EndReason::Brake);
            assert!(world.count("failed/") <= 25, "{}", world.count("failed/"));
            sleep(MINUTE / 2).await;
            world.upload(10, "good");
        } else if world.asked() > asked {
            probes += 1;
        }
        if world.count("processed/good") == 10 {
            good_after.get_or_insert(probes);
        }
        sleep(MINUTE).await;
    }
    assert!(good_after.is_some_and(|probes| probes <= 2), "{good_after:?} probes");
    assert_eq!((world.count("failed/bad"), world.count("processed/good")), (1_000, 10));
    assert_eq!(world.asked(), 1_010);
}
