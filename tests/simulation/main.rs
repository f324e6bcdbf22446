//! Tries to break the poller: the real one, over a simulated bucket and a simulated worker, in simulated time.
//!
//! One seed is one schedule of pollers, uploads, crashes and faults. After a run its whole history is held against the
//! promises. `cargo run --release --example simulate -- --seeds A..B` runs as many as one likes.

mod check;
mod fleet;
mod people;
mod planted;
mod run;
mod schedule;
mod wire;
mod worker;

#[test]
fn two_thousand_seeds_break_no_promise() {
    let total = fleet::run(0..2_000);
    assert!(total.broken.is_empty(), "{}", total.broken.join("\n\n"));
    assert_eq!(total.missed(), Vec::<&str>::new());
    println!("{total}");
}

/// A checker that cannot fail proves nothing.
#[test]
fn every_planted_bug_is_found() {
    let mut missed = Vec::new();
    for (name, seed) in fleet::planted(2_000) {
        match seed {
            Some(seed) => println!("{name}: found by seed {seed}"),
            None => missed.push(name),
        }
    }
    assert_eq!(missed, Vec::<&str>::new());
}
