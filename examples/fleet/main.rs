//! How many instances, what latency, at what cost: a model of a fleet in virtual time.
//!
//! `cargo run --release --example fleet` prints docs/fleet.tsv, from which `.ci/scale-plot` makes the tables and plots of
//! docs/SCALE.md. With `-- real` it compares itself with real processes.

#![allow(clippy::unwrap_used, reason = "a program that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "figures are for people")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no figure of the model comes near 2^52, and none is negative"
)]

#[allow(dead_code, reason = "the bench uses the rest of it")]
#[path = "../../benches/poll/bare.rs"]
mod bare;
#[allow(dead_code, reason = "the poller uses the rest of it")]
#[path = "../../services/poller/src/dispatch/breaker/mod.rs"]
mod breaker;
mod bucket;
mod cells;
mod delivery;
mod facts;
mod fleet;
#[allow(dead_code, reason = "the poller uses the rest of it")]
#[path = "../../services/poller/src/jitter.rs"]
mod jitter;
#[allow(dead_code, reason = "the poller uses the rest of it")]
#[path = "../../services/poller/src/dispatch/limit/mod.rs"]
mod limit;
mod outcome;
mod real;
mod scenario;
mod service;
mod steps;
#[cfg(test)]
mod tests;
mod timeline;
mod triggers;
#[path = "../../benches/poll/waiting.rs"]
mod waiting;
#[path = "../../benches/poll/wiring.rs"]
mod wiring;

fn main() {
    if !real::main() {
        print!("{}", cells::tsv());
    }
}
