//! A poll that goes on finding: passes, their pauses, and what they leave alone.

use tokio::time::{Instant, sleep};

use super::{world::World, *};
use crate::config::{Config, Order};

fn relist() -> PollRequest {
    request(|request| request.relist = true)
}

/// Each of these takes so many seconds; all others take none.
fn slow(calls: impl IntoIterator<Item = (&'static str, u64)>) -> Script {
    Script { slow: calls.into_iter().collect(), ..Script::default() }
}

/// Waits so many seconds from now, and uploads.
async fn upload_after(world: &World, seconds: u64, name: &str) {
    sleep(Duration::from_secs(seconds)).await;
    world.upload(&[name]);
}

fn second(asked: &[(String, f64)], name: &str) -> f64 {
    let found: Vec<_> = asked.iter().filter(|(asked, _)| asked == name).collect();
    assert_eq!(found.len(), 1, "{name}: {asked:?}");
    found[0].1
}

#[tokio::test(start_paused = true)]
async fn a_new_file_is_asked_about_within_the_pause_while_a_slow_one_is_in_flight() {
    let world = world(slow([("slow", 45)])).with(&["slow"]);
    let began = Instant::now();
    let (ended, ()) = tokio::join!(world.poll(relist()), upload_after(&world, 5, "new"));
    let asked = second(&world.asked_at(began), "new");
    assert!((5.0..7.5).contains(&asked), "{asked}");
    assert!(began.elapsed() < Duration::from_secs(48));
    assert!(world.all_in("processed/"));
    let finished = ended.finished.unwrap();
    assert_eq!(finished.reason(), EndReason::Complete);
    assert!(finished.passes >= 20, "{}", finished.passes);
    let counts = finished.counts.unwrap();
    assert_eq!((counts.listed, counts.found, counts.processed, counts.skipped), (1, 2, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn the_pause_counts_from_the_last_page_not_from_its_last_file() {
    let world = world_with(slow([("a", 5), ("b", 5), ("c", 5)]), "in/", |config| {
        config.budgets.concurrency = 2;
    });
    world.upload(&["a", "b", "c"]);
    let began = Instant::now();
    tokio::join!(world.poll(relist()), upload_after(&world, 1, "new"));
    let asked = second(&world.asked_at(began), "new");
    assert!((5.0..5.5).contains(&asked), "its place was free with that of c: {asked}");
}

#[tokio::test(start_paused = true)]
async fn without_relist_there_is_one_pass() {
    let world = world(slow([("slow", 45)])).with(&["slow"]);
    let (ended, ()) =
        tokio::join!(world.poll(PollRequest::default()), upload_after(&world, 5, "new"));
    assert_eq!((ended.finished.unwrap().passes, world.pages()), (1, 1));
    assert_eq!(world.names(), ["in/new", "processed/slow"]);
}

#[tokio::test(start_paused = true)]
async fn beside_a_file_of_ten_minutes_the_pause_grows_to_fifteen_seconds() {
    let world = world_with(slow([("slow", 590)]), "in/", |config| {
        config.budgets.process_timeout = Duration::from_mins(20);
        config.budgets.poll_deadline = Duration::from_mins(20);
    });
    world.upload(&["slow"]);
    let began = Instant::now();
    let uploads = async {
        upload_after(&world, 500, "late").await;
        upload_after(&world, 40, "soon").await;
    };
    let (ended, ()) = tokio::join!(world.poll(relist()), uploads);
    assert_eq!(ended.reason(), EndReason::Complete);
    let asked = world.asked_at(began);
    assert!((500.0..516.0).contains(&second(&asked, "late")), "{asked:?}");
    assert!((540.0..542.5).contains(&second(&asked, "soon")), "a new file is news: {asked:?}");
    assert!((60..160).contains(&world.pages()), "{}", world.pages());
}

#[tokio::test(start_paused = true)]
async fn an_idle_inbox_costs_one_page() {
    let world = answering([]);
    let ended = world.poll(relist()).await;
    assert_eq!((world.pages(), ended.reason()), (1, EndReason::Complete));
    world.sim.upload("data", "in/kept", "1").unwrap();
    world.sim.set_temporary_hold("data", "in/kept", true).unwrap();
    world.poll(relist()).await;
    assert_eq!((world.pages(), world.asked()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn retries_keep_their_time() {
    let script = Script {
        first: std::sync::Mutex::new(
            [("later", [wait(40), wait(40)].into())].into_iter().collect(),
        ),
        ..slow([("slow", 200)])
    };
    let world = world(script).with(&["later", "slow"]);
    let began = Instant::now();
    world.poll(relist()).await;
    let asked = world.asked_at(began);
    let times: Vec<_> =
        asked.iter().filter(|(name, _)| name == "later").map(|(_, at)| at).collect();
    assert_eq!(times.len(), 3, "{asked:?}");
    for (n, at) in times.iter().enumerate() {
        let due = 40.0 * f64::from(u32::try_from(n).unwrap());
        assert!((due..due + 15.0).contains(*at), "{asked:?}");
    }
    assert!(world.all_in("processed/"));
}

/// An answer that asks for so many seconds.
fn wait(seconds: u64) -> Answer {
    let mut answer = Answer::status(Code::Unavailable, "later");
    if let Answer::Worker(answer) = &mut answer {
        answer.retry_after = Some(Duration::from_secs(seconds));
    }
    answer
}

#[tokio::test(start_paused = true)]
async fn a_lost_file_is_not_asked_about_again_while_others_are_at_work() {
    let lost = Answer::Transport(TransportError::CutShort("cut".into()));
    let script = Script { answers: [("lost", lost)].into(), ..slow([("slow", 300)]) };
    let world = world(script).with(&["lost", "slow"]);
    let polling = async {
        let ended = world.poll(relist()).await;
        let finished = ended.finished.unwrap();
        assert!(finished.passes > 20, "{}", finished.passes);
        world.asked()
    };
    let asked = polling.await;
    let once = answering([("lost", Answer::Transport(TransportError::CutShort("cut".into())))]);
    once.upload(&["lost", "slow"]);
    once.poll_all().await;
    assert_eq!(asked, once.asked());
}

#[tokio::test(start_paused = true)]
async fn no_file_is_asked_about_twice_while_passes_go_over_what_is_in_flight() {
    let world = world_with(
        Script { waits: Some(Duration::from_secs(3)), ..Script::default() },
        "in/",
        |config| config.budgets.concurrency = 32,
    );
    let uploads = async {
        for n in 0..400 {
            world.upload(&[&format!("x{:03}", (n * 7) % 400)]);
            sleep(Duration::from_millis(73)).await;
        }
    };
    let (ended, ()) = tokio::join!(world.poll(relist()), uploads);
    let counts = ended.finished.unwrap().counts.unwrap();
    assert_eq!((counts.found, counts.processed, world.asked()), (400, 400, 400));
    assert_eq!(counts.superseded, 0);
}

#[tokio::test(start_paused = true)]
async fn the_greatest_number_of_objects_holds_over_all_passes() {
    let world = world(slow([("slow", 60)])).with(&["slow"]);
    let uploads = async {
        for name in ["a", "b", "c"] {
            upload_after(&world, 5, name).await;
        }
    };
    let most = request(|request| (request.relist, request.max_objects) = (true, 3));
    let (ended, ()) = tokio::join!(world.poll(most), uploads);
    assert_eq!(ended.reason(), EndReason::MaxObjects);
    assert_eq!(world.asked(), 3);
    assert_eq!(world.names(), ["in/c", "processed/a", "processed/b", "processed/slow"]);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_between_two_passes_is_the_end_of_a_whole_one() {
    let world = world_with(slow([("slow", 200)]), "in/", |config| {
        config.budgets.process_timeout = Duration::from_mins(5);
    });
    world.upload(&["slow"]);
    let trigger = Trigger { deadline: Some(Duration::from_mins(1)), ..Trigger::default() };
    let ended = collect(world.poller.start(&relist(), &trigger).unwrap()).await;
    assert_eq!(ended.reason(), EndReason::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_pause_between_passes_holds_no_place() {
    let script = Script {
        first: std::sync::Mutex::new([("later", [wait(3)].into())].into_iter().collect()),
        ..Script::default()
    };
    let world = world_with(script, "in/", |config| {
        config.budgets.concurrency = 1;
        config.relist = Duration::from_secs(20);
    });
    world.upload(&["later"]);
    let began = Instant::now();
    world.poll(relist()).await;
    let asked = world.asked_at(began);
    assert_eq!(asked.len(), 2);
    assert!(asked[1].1 < 10.0, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_and_a_probe_have_one_pass() {
    let world = answering([]).with(&["a"]);
    let dry = request(|request| (request.relist, request.dry_run) = (true, true));
    let ended = world.poll(dry).await;
    assert_eq!((ended.finished.unwrap().passes, world.pages()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn polls_that_end_early_reach_the_end_of_the_listing_in_turn() {
    let world = answering([]);
    let later: Vec<_> = (0..6).map(|n| format!("x{n}")).collect();
    let mut asked = Vec::new();
    for _ in 0..3 {
        for name in &later {
            world.upload(&[name]);
        }
        world.poll(request(|request| request.max_objects = 2)).await;
        asked.append(&mut world.worker.asked.lock().unwrap());
    }
    assert_eq!(asked, later.iter().map(|name| format!("in/{name}")).collect::<Vec<_>>());
    world.poll_all().await;
    assert!(world.all_in("processed/"), "a whole poll goes around: {:?}", world.names());
}

#[tokio::test(start_paused = true)]
async fn each_prefix_has_its_own_place_in_the_listing() {
    let world = answering([]);
    world.upload(&["eu/1", "eu/2", "us/1", "us/2"]);
    let one = |prefix: &str| {
        request(|request| (request.prefix, request.max_objects) = (prefix.into(), 1))
    };
    for prefix in ["us/", "eu/", "us/", "eu/"] {
        world.upload(&["eu/1", "us/1"]);
        world.poll(one(prefix)).await;
    }
    assert_eq!(*world.worker.asked.lock().unwrap(), ["in/us/1", "in/eu/1", "in/us/2", "in/eu/2"]);
}

fn by_age(config: &mut Config) {
    config.order = Order::Oldest;
    config.budgets.concurrency = 1;
}

#[tokio::test(start_paused = true)]
async fn the_oldest_come_first_and_a_limit_takes_the_oldest() {
    let world = world_with(Script::default(), "in/", by_age);
    for name in ["c", "a", "d", "b"] {
        world.upload(&[name]);
        sleep(Duration::from_secs(1)).await;
    }
    let ended = world.poll(request(|request| request.max_objects = 2)).await;
    assert_eq!(ended.reason(), EndReason::MaxObjects);
    assert_eq!(*world.worker.asked.lock().unwrap(), ["in/c", "in/a"]);
    let counts = ended.finished.unwrap().counts.unwrap();
    assert_eq!((counts.listed, counts.found), (4, 2));
    world.poll(relist()).await;
    assert_eq!(*world.worker.asked.lock().unwrap(), ["in/c", "in/a", "in/d", "in/b"]);
}

#[tokio::test(start_paused = true)]
async fn oldest_first_takes_more_passes_for_what_does_not_fit() {
    const COUNT: usize = 20_500;
    let world = world_with(Script::default(), "in/", |config| {
        config.order = Order::Oldest;
        config.budgets.concurrency = 64;
    });
    for n in 0..COUNT {
        world.upload(&[&format!("x{:05}", COUNT - n)]);
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    let ended = world.poll_all().await;
    let finished = ended.finished.unwrap();
    let counts = finished.counts.unwrap();
    let all = i64::try_from(COUNT).unwrap();
    assert_eq!((counts.listed, counts.found, counts.processed), (all, all, all));
    assert_eq!((finished.passes, world.asked()), (3, COUNT));
    let asked = world.worker.asked.lock().unwrap();
    let place = |name: &str| asked.iter().position(|asked| asked == name).unwrap();
    assert!(place("in/x20500") < 64 && place("in/x00001") > COUNT - 65);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_begun_that_the_median_says_cannot_end_before_the_deadline() {
    let world = world_with(waiting(30), "in/", |config| config.budgets.concurrency = 1);
    world.upload(&["a", "b", "c", "d", "e"]);
    let ended = world.poll_within(120).await;
    assert_eq!(ended.reason(), EndReason::Deadline);
    assert_eq!(world.asked(), 3, "the fourth would have been cut at 115 s");
    assert_eq!(ended.settled.len(), 3);
    let ended = world.poll_within(30).await;
    assert_eq!((world.asked(), ended.settled.len()), (4, 1), "no poll of this length has the time");
}

#[tokio::test(start_paused = true)]
async fn a_backlog_costs_little_more_than_a_page_for_each_thousand() {
    const COUNT: usize = 30_000;
    let world = world_with(Script::default(), "in/", |config| config.budgets.concurrency = 64);
    for n in 0..COUNT {
        world.upload(&[&format!("x{n:05}")]);
    }
    let ended = world.poll(relist()).await;
    assert_eq!(ended.finished.unwrap().counts.unwrap().processed, i64::try_from(COUNT).unwrap());
    let calls = world.pages() + world.sim.calls(Operation::Move);
    assert!(calls * 100 <= COUNT as u64 * 101, "{calls}");
}
