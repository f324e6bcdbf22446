use std::iter;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Fails once a second from the `from`th second on, until it is open: how many failures that took.
fn until_open(breaker: &mut Breaker, start: Instant, from: u32) -> u32 {
    for second in 0..100 {
        let now = start + SECOND * (from + second) + Duration::from_millis(u64::from(second));
        breaker.failed(now, "refused");
        if breaker.check(now) != Permission::Go {
            return second + 1;
        }
    }
    panic!("it never opens");
}

/// How long a caller has to wait.
fn pause(breaker: &mut Breaker, now: Instant) -> Duration {
    match breaker.check(now) {
        Permission::Wait(until) => until - now,
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_opens_after_enough_events_and_ten_seconds_without_an_answer() {
    let start = Instant::now();
    // Events suffice at the 5th second, the time at the 10th.
    let mut breaker = Breaker::new(5);
    assert_eq!(until_open(&mut breaker, start, 0), 11);
    // The time suffices at the 10th second, events at the 20th.
    let mut breaker = Breaker::new(20);
    assert_eq!(until_open(&mut breaker, start, 0), 20);
    // The last answer was 8 s before the first failure.
    let mut breaker = Breaker::new(2);
    breaker.answered(start);
    assert_eq!(until_open(&mut breaker, start, 8), 3);
    // A limit of 0 is one of 1.
    let mut breaker = Breaker::new(0);
    breaker.answered(start);
    assert_eq!(until_open(&mut breaker, start, 10), 1);
}

#[test]
fn a_restart_of_the_worker_with_many_calls_in_flight_is_one_event() {
    let start = Instant::now();
    let mut breaker = Breaker::new(2);
    breaker.answered(start);
    let restart = start + 20 * SECOND;
    for _ in 0..200 {
        breaker.failed(restart, "reset");
    }
    breaker.failed(restart + SECOND, "reset");
    assert_eq!((breaker.check(restart + SECOND), breaker.failures()), (Permission::Go, 201));
    breaker.failed(restart + SECOND + Duration::from_nanos(1), "refused");
    assert!(matches!(breaker.check(restart + SECOND), Permission::Wait(_)));
    assert_eq!((breaker.failures(), breaker.last()), (202, "refused"));
}

#[test]
fn a_restart_of_less_than_ten_seconds_does_not_open_it() {
    let start = Instant::now();
    let mut breaker = Breaker::new(5);
    for second in 0..100 {
        let now = start + SECOND * second + Duration::from_millis(u64::from(second));
        if second % 10 == 9 {
            breaker.answered(now);
        } else {
            breaker.failed(now, "refused");
        }
        assert_eq!(breaker.check(now), Permission::Go, "{second}");
    }
}

#[test]
fn an_open_one_gives_one_probe_after_its_pause() {
    let start = Instant::now();
    let mut breaker = Breaker::new(1);
    breaker.answered(start);
    let open = start + 10 * SECOND;
    breaker.failed(open, "refused");
    let pause = pause(&mut breaker, open);
    assert!((SECOND / 4..=SECOND / 2).contains(&pause), "{pause:?}");
    let probe = open + pause;
    assert_eq!(breaker.check(probe - Duration::from_nanos(1)), Permission::Wait(probe));
    assert_eq!(breaker.check(probe), Permission::Probe);
    assert_eq!(breaker.check(probe), Permission::Wait(probe + SECOND / 2));
    breaker.probed(probe, true);
    assert_eq!(breaker.check(probe), Permission::Go);
}

#[test]
fn a_probe_that_is_not_reported_is_given_to_the_next_caller() {
    let start = Instant::now();
    let mut breaker = Breaker::new(1);
    breaker.answered(start);
    let open = start + 10 * SECOND;
    breaker.failed(open, "refused");
    let probe = open + SECOND;
    assert_eq!(breaker.check(probe), Permission::Probe);
    let lost = probe + 15 * SECOND;
    let before = lost - Duration::from_nanos(1);
    assert_eq!(breaker.check(before), Permission::Wait(lost));
    assert_eq!(breaker.check(lost), Permission::Probe);
    assert!(matches!(breaker.check(lost), Permission::Wait(_)));
    // The second caller fails, the first reports late: the pause is not lengthened.
    breaker.probed(lost, false);
    let until = breaker.check(lost);
    breaker.probed(lost + Duration::from_millis(1), false);
    assert_eq!(breaker.check(lost), until);
    // A late report that the worker is reachable counts, one that it is not does not open a closed one.
    breaker.probed(lost, true);
    breaker.probed(lost, false);
    assert_eq!(breaker.check(lost), Permission::Go);
}

#[test]
fn each_probe_that_fails_makes_the_next_pause_longer() {
    let start = Instant::now();
    let mut breaker = Breaker::new(1);
    breaker.answered(start);
    let mut now = start + 10 * SECOND;
    breaker.failed(now, "refused");
    for step in 0..20 {
        let longest = (SECOND / 2 * 2_u32.pow(step.min(10))).min(5 * SECOND);
        let pause = pause(&mut breaker, now);
        assert!((longest / 2..=longest).contains(&pause), "{step}: {pause:?}");
        now += pause;
        assert_eq!(breaker.check(now), Permission::Probe);
        breaker.probed(now, false);
    }
}

#[test]
fn a_worker_that_is_reachable_and_whose_calls_all_fail_opens_it_again_for_longer() {
    let start = Instant::now();
    let mut breaker = Breaker::new(3);
    breaker.failed(start, "reset");
    let mut now = start + 8 * SECOND;
    for round in 0..4 {
        // The ten seconds are not counted again, the events are: with the first one, three each time.
        for _ in 0..if round == 0 { 2 } else { 3 } {
            assert_eq!(breaker.check(now), Permission::Go, "{round}");
            now += 2 * SECOND;
            breaker.failed(now, "reset");
        }
        let longest = SECOND / 2 * 2_u32.pow(round);
        let pause = pause(&mut breaker, now);
        assert!((longest / 2..=longest).contains(&pause), "{round}: {pause:?}");
        // Calls that were in flight when it opened do not count as events.
        breaker.failed(now + pause, "reset");
        assert_eq!(breaker.check(now + pause), Permission::Probe);
        breaker.failed(now + pause, "reset");
        breaker.probed(now + pause, true);
        assert_eq!(breaker.away_since(), Some(start), "no call was answered");
        now += pause;
    }
    assert_eq!(breaker.failures(), 4 * 5);
    breaker.answered(now);
    assert_eq!((breaker.failures(), breaker.last(), breaker.away_since()), (0, "", None));
    let reopened = now + 10 * SECOND;
    let failures = iter::successors(Some(reopened), |at| Some(*at + 2 * SECOND)).take(3);
    failures.for_each(|at| breaker.failed(at, "reset"));
    assert!(pause(&mut breaker, reopened + 4 * SECOND) <= SECOND / 2, "it begins again");
}

#[test]
fn the_worker_is_away_from_the_first_failure_on_once_it_is_open() {
    let start = Instant::now();
    let mut breaker = Breaker::new(2);
    breaker.answered(start);
    let first = start + 3_600 * SECOND;
    breaker.failed(first, "refused");
    assert_eq!(breaker.away_since(), None);
    breaker.failed(first + 2 * SECOND, "refused");
    assert_eq!(breaker.away_since(), Some(first));
    // A call that was in flight is answered after all.
    breaker.answered(first + 3 * SECOND);
    assert_eq!(breaker.away_since(), None);
    assert_eq!(breaker.check(first + 3 * SECOND), Permission::Go);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u64),
    Fail,
    Answer,
    Check,
    Report(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..20_000).prop_map(Step::Pass),
        4 => Just(Step::Fail),
        1 => Just(Step::Answer),
        4 => Just(Step::Check),
        2 => any::<bool>().prop_map(Step::Report),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn there_are_never_two_probes_at_once_and_it_is_never_stuck(
        limit in 0_u32..6,
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        let mut now = Instant::now();
        let mut breaker = Breaker::new(limit);
        let mut probe: Option<Instant> = None;
        for step in steps {
            match step {
                Step::Pass(millis) => now += Duration::from_millis(millis),
                Step::Fail => breaker.failed(now, "lost"),
                Step::Answer => {
                    breaker.answered(now);
                    probe = None;
                    prop_assert_eq!(breaker.check(now), Permission::Go);
                }
                Step::Check => match breaker.check(now) {
                    Permission::Probe => {
                        prop_assert!(probe.is_none_or(|since| now - since >= PROBE_TIME));
                        probe = Some(now);
                    }
                    Permission::Wait(until) => prop_assert!(until > now && until <= now + LONGEST_PAUSE),
                    Permission::Go => prop_assert!(probe.is_none()),
                },
                Step::Report(is_reachable) => {
                    if probe.take().is_some() {
                        breaker.probed(now, is_reachable);
                    }
                }
            }
        }
        // From any state a caller that waits gets its turn, and a worker that is reachable closes it.
        for _ in 0..100 {
            match breaker.check(now) {
                Permission::Go => return Ok(()),
                Permission::Wait(until) => now = until,
                Permission::Probe => breaker.probed(now, true),
            }
        }
        prop_assert!(false, "stuck");
    }
}

#[test]
fn failures_of_long_ago_do_not_count() {
    let start = Instant::now();
    let mut breaker = Breaker::new(2);
    breaker.failed(start, "refused");
    breaker.failed(start + 61 * SECOND, "refused");
    assert_eq!((breaker.failures(), breaker.check(start + 61 * SECOND)), (1, Permission::Go));
    breaker.failed(start + 90 * SECOND, "refused");
    assert_eq!(breaker.failures(), 2);
    assert!(matches!(breaker.check(start + 90 * SECOND), Permission::Wait(_)));
}
