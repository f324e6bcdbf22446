//! The model keeps its own rules, finds planted mistakes, and docs/fleet.tsv is what it says.

use crate::{
    cells,
    facts::MINUTE,
    fleet::run,
    outcome::{self, Outcome},
    scenario::{Dispatch, Mistake, Scenario},
};

const KINDS: [(&str, Dispatch); 4] = cells::KINDS;

/// A run of each kind at 20 objects a second.
fn scenario(dispatch: Dispatch) -> Scenario {
    let mut scenario = Scenario::new(dispatch, 20.0);
    scenario.in_flight = 128;
    scenario.poller.places = if dispatch == Dispatch::Events { 32 } else { 128 };
    scenario
}

#[test]
fn each_object_is_settled_once_and_no_limit_is_exceeded() {
    for (name, dispatch) in KINDS {
        let outcome = run(&scenario(dispatch));
        assert_eq!(outcome.broken, Vec::<String>::new(), "{name}");
        assert!(outcome.latencies.len() > 5_000, "{name}: {outcome:?}");
    }
}

#[test]
fn objects_in_the_system_are_their_rate_times_their_time() {
    for (name, dispatch) in KINDS {
        let mut scenario = scenario(dispatch);
        // A sweep settles in waves, of which a long time has enough.
        scenario.measured = 20 * MINUTE;
        let outcome = run(&scenario);
        let little = scenario.rate * outcome.mean();
        let ratio = outcome.in_system() / little;
        println!("{name}: {:.1} in the system, {little:.1} by Little's law", outcome.in_system());
        assert!((0.95..1.05).contains(&ratio), "{name}: {ratio}");
    }
}

#[test]
fn the_worker_is_billed_no_less_than_its_work_divided_by_its_places() {
    for (name, dispatch) in KINDS {
        let outcome = run(&scenario(dispatch));
        let each = outcome.worker_seconds / outcome.settled as f64;
        assert!((2.0 / 8.0..4.0).contains(&each), "{name}: {each} s an object");
    }
}

#[test]
fn one_seed_has_one_outcome_and_another_has_another() {
    let scenario = scenario(Dispatch::Events);
    let figures = |scenario: &Scenario| {
        let outcome = run(scenario);
        (outcome.latencies, outcome.pollers, outcome.workers)
    };
    assert_eq!(figures(&scenario), figures(&scenario));
    assert_ne!(figures(&scenario), figures(&Scenario { seed: 2, ..scenario.clone() }));
}

#[test]
fn a_bucket_without_a_past_refuses_until_it_has_doubled_often_enough() {
    let outcome = run(&cells::cold());
    let minutes = outcome.last_refused / MINUTE;
    // 1,800 writes a second are one doubling from 1,000, and what waits by then takes time too.
    assert!((20..=60).contains(&minutes), "{minutes} min: {:?}", outcome.broken);
    assert!(outcome.refused > 0 && outcome.broken.is_empty(), "{:?}", outcome.broken);
}

#[test]
fn a_second_write_of_a_name_within_a_second_waits() {
    let mut scenario = scenario(Dispatch::Events);
    (scenario.refused, scenario.work) = (1.0, (0, 0));
    let outcome = run(&scenario);
    // The mark of a refused object is the second write of its name.
    assert!(outcome.percentile(0.01) > 1.0, "{}", outcome.percentile(0.01));
}

#[test]
fn a_push_window_opens_with_its_successes() {
    let burst = cells::burst(Dispatch::Events);
    let half = Scenario { backlog: burst.backlog / 2, ..burst.clone() };
    let (whole, half) = (run(&burst), run(&half));
    let rate = |outcome: &Outcome| outcome.settled as f64 / outcome::seconds(outcome.ended);
    assert!(rate(&whole) > rate(&half), "{} {}", rate(&whole), rate(&half));
}

#[test]
fn a_sweep_with_too_few_places_falls_behind() {
    let mut few = scenario(Dispatch::Sweep { every: MINUTE, relist: None });
    (few.in_flight, few.measured) = (16, 30 * MINUTE);
    let behind = run(&few);
    few.in_flight = 128;
    assert!(behind.percentile(0.99) > 5.0 * run(&few).percentile(0.99));
}

/// A check that cannot fail proves nothing.
#[test]
fn planted_mistakes_are_found() {
    let crowded = |mistake, dispatch| {
        let mut scenario = scenario(dispatch);
        scenario.planted = Some(mistake);
        scenario.writes = 50.0;
        scenario.worker.max = 4;
        scenario.measured = MINUTE;
        run(&scenario)
    };
    for mistake in [Mistake::NoWriteLimit, Mistake::Overfull, Mistake::Forgotten, Mistake::Twice] {
        let outcome = crowded(mistake, Dispatch::Sweep { every: MINUTE, relist: None });
        assert!(!outcome.broken.is_empty(), "{mistake:?} was not found");
    }
    let mut burst = cells::burst(Dispatch::Events);
    let with_window = run(&burst);
    burst.planted = Some(Mistake::NoWindow);
    assert!(run(&burst).refused_requests > with_window.refused_requests);
}

#[test]
fn the_file_of_the_documents_is_what_the_model_says() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(cells::FILE);
    let kept = std::fs::read_to_string(path).unwrap();
    let fix = "fix: cargo run --release --example fleet > docs/fleet.tsv && UPDATE=1 python3 .ci/scale-plot";
    for (kept, made) in kept.lines().zip(cells::tsv().lines()) {
        assert_eq!(kept, made, "{fix}");
    }
    assert_eq!(kept.lines().count(), cells::tsv().lines().count(), "{fix}");
}
