//! Runs the simulation over as many seeds as one likes, on every core:
//! `cargo run --release --example simulate -- --seeds 0..100000`.

#![allow(clippy::print_stdout, reason = "what it found is what it is for")]

#[allow(dead_code, reason = "a test of its own runs it")]
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

use std::{ops::Range, process::ExitCode};

use clap::Parser;

/// Tries to break the poller in simulated time.
#[derive(Parser)]
struct Args {
    /// The seeds to run: FROM..TO, or one seed
    #[arg(long, default_value = "0..10000", value_parser = range)]
    seeds: Range<u64>,
    /// Plants known bugs instead, one at a time, and names the first seed that finds each
    #[arg(long)]
    planted: bool,
}

fn range(given: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    match given.split_once("..") {
        Some((from, to)) => Ok(number(from)?..number(to)?),
        None => number(given).map(|seed| seed..seed + 1),
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.planted {
        return planted(args.seeds.end);
    }
    let total = fleet::run(args.seeds);
    for broken in &total.broken {
        println!("{broken}\n");
    }
    let missed = total.missed();
    if !missed.is_empty() {
        println!("met too seldom: {}\n", missed.join(", "));
    }
    println!("{total}");
    if total.broken.is_empty() && missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn planted(limit: u64) -> ExitCode {
    let found = fleet::planted(limit);
    for bug in &found {
        println!("{bug}");
    }
    if found.iter().all(|bug| bug.by.is_some()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
