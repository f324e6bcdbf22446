//! Leases over a simulated bucket, in simulated time.

use brigade_sim::{Fault, Sim};
use brigade_storage::{Kind, Operation, Store as _};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::*;

const NAME: &str = ".brigade/in/lease";

/// The simulated service's clock, off by this much.
#[derive(Debug)]
struct Skewed(Sim, SignedDuration);

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        self.0.clock().now() + self.1
    }
}

fn sim() -> Sim {
    Sim::new().with_bucket("data")
}

fn manager(sim: &Sim, skew: i64) -> LeaseManager {
    of_process(sim, skew, "", Process::default())
}

fn scoped(sim: &Sim, prefix: &str) -> LeaseManager {
    of_process(sim, 0, prefix, Process::default())
}

fn of_process(sim: &Sim, skew: i64, prefix: &str, process: Process) -> LeaseManager {
    let clock = Arc::new(Skewed(sim.clone(), SignedDuration::from_secs(skew)));
    let scope = Scope { prefix: prefix.into(), globs: String::new() };
    LeaseManager::new(sim.bucket("data"), &Location::new("data", "in/"), scope, clock, process)
}

async fn acquire(manager: &LeaseManager, holder: &str) -> Option<Lease> {
    match manager.acquire(holder).await.unwrap() {
        Acquired::Ours(lease) => Some(lease),
        Acquired::Held { .. } => None,
    }
}

/// A lease that `a` holds.
async fn held() -> (Sim, Lease) {
    let sim = sim();
    let lease = acquire(&manager(&sim, 0), "a").await.unwrap();
    (sim, lease)
}

fn holder(sim: &Sim) -> Option<String> {
    let found = sim.objects("data").into_iter().find(|o| o.name == NAME)?;
    found.metadata.get(holders::WRITER).cloned()
}

fn calls(sim: &Sim) -> u64 {
    sim.calls(Operation::Create) + sim.calls(Operation::Get) + sim.calls(Operation::Delete)
}

/// Keeps a lease for so long; whether it was lost meanwhile.
async fn keep_for(lease: &mut Lease, time: Duration) -> bool {
    let lost = CancellationToken::new();
    tokio::select! {
        () = lease.keep(&lost) => {}
        () = sleep(time) => {}
        () = lost.cancelled() => {}
    }
    lost.is_cancelled()
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_taken_and_released_by_one_call_each() {
    let (sim, lease) = held().await;
    assert_eq!((holder(&sim).as_deref(), calls(&sim)), (Some("a"), 1));
    lease.release().await;
    assert_eq!((holder(&sim), calls(&sim)), (None, 2));
}

#[tokio::test(start_paused = true)]
async fn a_held_lease_costs_two_calls_and_names_its_holder() {
    let sim = sim();
    let _held = acquire(&manager(&sim, 0), "a").await.unwrap();
    let before = calls(&sim);
    let Acquired::Held { by, .. } = manager(&sim, 0).acquire("b").await.unwrap() else {
        panic!("two holders");
    };
    assert_eq!((by.as_str(), calls(&sim) - before), ("a", 2));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_renewed_is_never_taken_over() {
    let (sim, mut lease) = held().await;
    for _ in 0..20 {
        assert!(!keep_for(&mut lease, Duration::from_secs(61)).await);
        assert!(acquire(&manager(&sim, 30), "b").await.is_none());
    }
    lease.release().await;
    assert!(acquire(&manager(&sim, -30), "b").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_at_a_third_of_its_time() {
    let (sim, mut lease) = held().await;
    assert!(!keep_for(&mut lease, TTL + Duration::from_secs(1)).await);
    assert_eq!(calls(&sim), 1 + 3);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_renews_is_taken_over_whatever_the_clocks_say() {
    for (skew, not_before, at_the_latest) in [(30, 60, 61), (0, 90, 91), (-30, 120, 121)] {
        let sim = sim();
        drop(acquire(&manager(&sim, 0), "a").await.unwrap());
        sleep(Duration::from_secs(not_before)).await;
        assert!(acquire(&manager(&sim, skew), "b").await.is_none(), "{skew}");
        sleep(Duration::from_secs(at_the_latest - not_before)).await;
        assert!(acquire(&manager(&sim, skew), "b").await.is_some(), "{skew}");
        assert_eq!(holder(&sim).as_deref(), Some("b"));
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_who_take_over_at_once_one_gets_it() {
    let sim = sim();
    drop(acquire(&manager(&sim, 0), "a").await.unwrap());
    sleep(Duration::from_secs(100)).await;
    let (one, two) = (manager(&sim, 0), manager(&sim, 0));
    let (one, two) = tokio::join!(acquire(&one, "b"), acquire(&two, "c"));
    assert!(one.is_some() != two.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_slow_holder_does_not_remove_its_successors() {
    let sim = sim();
    let slow = acquire(&manager(&sim, 0), "a").await.unwrap();
    sleep(Duration::from_secs(100)).await;
    let _next = acquire(&manager(&sim, 0), "b").await.unwrap();
    slow.release().await;
    assert_eq!(holder(&sim).as_deref(), Some("b"));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_was_on_its_way_does_not_keep_the_lease_from_being_released() {
    let (sim, mut lease) = held().await;
    let late = Fault::AppliedThenDelay(Duration::from_secs(30));
    sim.fail_next(Operation::Create, late);
    assert!(!keep_for(&mut lease, Duration::from_secs(25)).await);
    lease.release().await;
    assert_eq!(holder(&sim), None);
}

#[tokio::test(start_paused = true)]
async fn a_holder_whose_answers_were_lost_knows_itself() {
    let sim = sim();
    sim.fail_next(Operation::Create, Fault::AppliedThenLost);
    let mut lease = acquire(&manager(&sim, 0), "a").await.unwrap();
    sim.fail_next(Operation::Create, Fault::AppliedThenLost);
    assert!(!keep_for(&mut lease, Duration::from_secs(90)).await);
    lease.release().await;
    assert_eq!(holder(&sim), None);
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_is_away_loses_the_lease_before_another_can_take_it() {
    let (sim, mut lease) = held().await;
    let began = Instant::now();
    sim.set_faults(|_: &brigade_sim::Call| Some(Fault::Before(Kind::Unknown)));
    assert!(keep_for(&mut lease, Duration::from_mins(5)).await);
    assert!(began.elapsed() <= TTL, "{:?}", began.elapsed());
    sim.clear_faults();
    assert!(acquire(&manager(&sim, 30), "b").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_loses_the_lease_in_time() {
    let (sim, mut lease) = held().await;
    let began = Instant::now();
    sim.fail_next(Operation::Create, Fault::Delay(Duration::from_mins(9)));
    assert!(keep_for(&mut lease, Duration::from_mins(5)).await);
    assert!(began.elapsed() <= TTL, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_a_person_deleted_is_lost() {
    let (sim, mut lease) = held().await;
    sim.remove("data", NAME).unwrap();
    assert!(keep_for(&mut lease, Duration::from_mins(2)).await);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_a_person_put_there_expires() {
    let sim = sim();
    sim.upload("data", NAME, "mine").unwrap();
    assert!(acquire(&manager(&sim, 0), "a").await.is_none());
    sleep(Duration::from_secs(100)).await;
    assert!(acquire(&manager(&sim, 0), "a").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_is_an_error() {
    let sim = sim();
    sim.fail_next(Operation::Create, Fault::Before(Kind::PermissionDenied));
    let error = manager(&sim, 0).acquire("a").await.unwrap_err();
    assert!(error.needs_fix(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_given_back_meanwhile_is_taken_at_once() {
    let sim = sim();
    sim.fail_next(Operation::Create, Fault::Before(Kind::Precondition));
    let began = Instant::now();
    assert!(acquire(&manager(&sim, 0), "a").await.is_some());
    assert_eq!((began.elapsed(), calls(&sim)), (Duration::ZERO, 3));
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_is_away_for_a_moment_is_waited_for() {
    let sim = sim();
    sim.fail_next(Operation::Create, Fault::Before(Kind::Unknown));
    let began = Instant::now();
    assert!(acquire(&manager(&sim, 0), "a").await.is_some());
    assert!(began.elapsed() > Duration::ZERO, "it was asked again at once");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_may_not_be_looked_at_is_an_error() {
    let sim = sim();
    sim.fail_next(Operation::Create, Fault::Before(Kind::Precondition));
    sim.fail_next(Operation::Get, Fault::Before(Kind::PermissionDenied));
    let error = manager(&sim, 0).acquire("a").await.unwrap_err();
    assert!(error.needs_fix(), "{error}");
    assert_eq!(calls(&sim), 2);
}

#[tokio::test(start_paused = true)]
async fn disjoint_parts_of_an_inbox_have_a_holder_each() {
    let sim = sim();
    let eu = acquire(&scoped(&sim, "eu/"), "a").await.unwrap();
    let us = acquire(&scoped(&sim, "us/"), "b").await.unwrap();
    for prefix in ["", "eu/", "eu/berlin/", "us/"] {
        assert!(acquire(&scoped(&sim, prefix), "c").await.is_none(), "{prefix}");
    }
    eu.release().await;
    let eu = acquire(&scoped(&sim, "eu/"), "c").await.unwrap();
    assert!(acquire(&scoped(&sim, ""), "d").await.is_none());
    us.release().await;
    eu.release().await;
    assert_eq!(holder(&sim), None);
    assert!(acquire(&scoped(&sim, ""), "d").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn holders_of_disjoint_parts_renew_side_by_side_and_one_that_dies_expires_alone() {
    let sim = sim();
    let mut eu = acquire(&scoped(&sim, "eu/"), "a").await.unwrap();
    let mut us = acquire(&scoped(&sim, "us/"), "b").await.unwrap();
    let minutes = Duration::from_mins(5);
    let (eu_lost, us_lost) = tokio::join!(keep_for(&mut eu, minutes), keep_for(&mut us, minutes));
    assert!(!eu_lost && !us_lost);
    drop(eu);
    assert!(!keep_for(&mut us, Duration::from_secs(60)).await);
    assert!(acquire(&scoped(&sim, "eu/"), "c").await.is_none());
    assert!(!keep_for(&mut us, Duration::from_secs(31)).await);
    assert!(acquire(&scoped(&sim, "eu/"), "c").await.is_some());
    assert!(acquire(&scoped(&sim, "us/"), "d").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_lease_counts_from_the_first_try_of_its_write() {
    let sim = sim();
    // Applied at once; its answer comes after 25 s, and is an error.
    sim.fail_next(Operation::Create, Fault::AppliedThenDelay(Duration::from_secs(65)));
    let manager = manager(&sim, 0);
    let slow = async {
        let first = tokio::time::timeout(Duration::from_secs(70), manager.acquire("a")).await;
        match first.unwrap().unwrap() {
            Acquired::Ours(lease) => lease,
            Acquired::Held { .. } => panic!("its own write holds it"),
        }
    };
    let mut lease = slow.await;
    // Written 65 s ago: no longer ours, and with a clock that is ahead by 30 s another takes it.
    let began = Instant::now();
    assert!(keep_for(&mut lease, Duration::from_mins(1)).await);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_goes_on_as_long_as_the_lease_is_valid() {
    let (sim, mut lease) = held().await;
    sim.set_faults(|_: &brigade_sim::Call| Some(Fault::Before(Kind::Unknown)));
    assert!(!keep_for(&mut lease, Duration::from_secs(57)).await);
    sim.clear_faults();
    assert!(!keep_for(&mut lease, Duration::from_secs(30)).await);
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_process_of_this_machine_that_has_ended_is_taken_at_once() {
    let sim = sim();
    let process = |id: &str| Process { id: id.into(), has_ended: Some(|id| id == "dead") };
    for (id, is_free) in [("dead", true), ("alive", false), ("", false)] {
        let held = acquire(&of_process(&sim, 0, "", process(id)), "a").await.unwrap();
        let taken = acquire(&of_process(&sim, 0, "", process("b")), "b").await;
        assert_eq!(taken.is_some(), is_free, "{id}");
        taken.unwrap_or(held).release().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_an_earlier_version_holds_the_whole_inbox() {
    let sim = sim();
    let metadata = Metadata::from([(holders::WRITER.to_owned(), "old".to_owned())]);
    let new = NewObject { metadata, ..NewObject::default() };
    sim.bucket("data").create(NAME, 0, new).await.unwrap();
    assert!(acquire(&scoped(&sim, "eu/"), "a").await.is_none());
    sleep(Duration::from_secs(91)).await;
    assert!(acquire(&scoped(&sim, "eu/"), "a").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn polls_of_many_disjoint_parts_that_begin_at_once_all_get_their_part() {
    let sim = sim();
    let polls = (0..30).map(|n| {
        let manager = scoped(&sim, &format!("{n:02}/"));
        async move { acquire(&manager, &format!("poll-{n}")).await }
    });
    let leases: Vec<_> = futures::future::join_all(polls).await;
    assert!(leases.iter().all(Option::is_some));
    futures::future::join_all(leases.into_iter().flatten().map(Lease::release)).await;
    assert_eq!(holder(&sim), None);
}
