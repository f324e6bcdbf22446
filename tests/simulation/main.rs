//! Tries to break the poller: the real one, over a simulated bucket and a simulated worker, in simulated time.
//!
//! One seed is one schedule of pollers, uploads, crashes and faults. After a run its whole history is held against the
//! promises. `cargo run --release --example simulate -- --seeds A..B` runs as many as one likes.

mod arrivals;
mod check;
mod events;
mod fleet;
mod halt;
mod heard;
mod instance;
mod line;
mod nature;
mod operators;
mod outputs;
mod people;
mod planted;
mod process;
mod report;
mod run;
mod schedule;
mod weather;
mod wire;
mod worker;
mod world;
mod worlds;

use planted::{Bug, Planted};

#[test]
fn two_thousand_seeds_break_no_promise() {
    let total = fleet::run(0..2_000);
    println!("{total}");
    assert!(total.broken.is_empty(), "{}", total.broken.join("\n\n"));
    assert_eq!(total.missed(), Vec::<&str>::new(), "met too seldom");
    assert_eq!((total.repeated, total.compared), (20, 100));
    assert!(total.twice_with_lease < total.twice_without, "{total}");
    let [written, visible, left, beside, _] = total.outputs;
    assert!(written.min(visible) > 10_000 && beside > 1_000, "{total}");
    assert!(left > 0 && left * 50 < visible, "{total}");
}

#[test]
fn a_file_that_arrives_while_places_are_free_is_asked_about_within_the_pause() {
    let total = arrivals::run(0..300);
    println!("{total:?}");
    assert!(total.broken.is_empty(), "{}", total.broken.join("\n"));
    assert!(total.beside > 300, "{total:?}");
}

/// A checker that cannot fail proves nothing.
#[test]
fn planted_bugs_are_found_each_by_its_seed() {
    let found = fleet::planted(4_000);
    for bug in &found {
        println!("{bug}");
    }
    assert_eq!(found.len(), planted::BUGS.len());
    let missed = found.iter().filter(|bug| bug.by.is_none());
    assert_eq!(missed.count(), 0);
}

#[test]
fn a_broken_promise_is_told_whole_and_its_seed_breaks_it_again() {
    let planted = Planted(Some(Bug::DeleteInsteadOfMove));
    let broken = (0..100).find_map(|seed| Some((seed, fleet::try_seed(seed, planted).err()?)));
    let (seed, broken) = broken.expect("a bug that is found at once");
    let told = broken.to_string();
    assert!(told.starts_with(&format!("seed {seed} breaks ")), "{told}");
    for part in ["it is lost", "Schedule {", "\nreports:\n  Report {", "\nhistory:\n  Mutation {"] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    let again = fleet::try_seed(seed, planted).expect_err("the same seed breaks it again");
    assert_eq!(again.to_string(), told);
}
