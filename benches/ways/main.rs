//! What events, tasks, and programs as workers cost: `cargo bench --bench ways`.
//!
//! Each is paired in one run with a bare loop that makes the same calls through the same clients, or starts the same program,
//! and nothing else. A figure is the median of the rounds. What a token costs is measured by the bench `identity`. With
//! `BENCH_SMOKE=1` a short round shows that all of it runs. Arguments choose ways.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "figures are for people")]
#![allow(clippy::cast_precision_loss, reason = "no figure comes near 2^52")]

#[allow(dead_code, reason = "the other bench uses the rest of it")]
#[path = "../poll/bare.rs"]
mod bare;
mod events;
mod programs;
#[allow(dead_code, reason = "the other bench uses the rest of it")]
#[path = "../identity/rounds.rs"]
mod rounds;
#[allow(dead_code, reason = "the other bench uses the rest of it")]
#[path = "../poll/system.rs"]
mod system;
mod tasks;
#[path = "../poll/waiting.rs"]
mod waiting;
#[path = "../poll/wiring.rs"]
mod wiring;

use std::time::{Duration, Instant};

use brigade_runtime::telemetry::{self, Format};
use futures::{StreamExt as _, stream};
use tokio::runtime::Runtime;

use rounds::Paired;
use system::System;

/// How long one call may take.
pub(crate) const BUDGET: Duration = Duration::from_secs(600);

/// How much is measured.
pub(crate) struct Scale {
    pub(crate) rounds: usize,
    pub(crate) objects: usize,
    /// Of a program that is started for each.
    pub(crate) programs: usize,
}

fn main() {
    // Every line is made, as it is in production, and goes nowhere.
    let logs = telemetry::subscriber(Format::Json, "info", std::io::sink);
    tracing::subscriber::set_global_default(logs).unwrap();
    let is_smoke = std::env::var_os("BENCH_SMOKE").is_some();
    let scale = if is_smoke {
        Scale { rounds: 1, objects: 100, programs: 8 }
    } else {
        Scale { rounds: 5, objects: 2_000, programs: 400 }
    };
    let chosen: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let is_chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|word| word == name);
    let runtime = Runtime::new().unwrap();
    let system = runtime.block_on(System::start(Duration::ZERO));
    println!("{:<58} {:>10} {:>12} {:>6}", "way", "a second", "bare loop", "ratio");
    if is_chosen("events") {
        for form in [events::Form::PubSub, events::Form::Eventarc] {
            print(
                &format!("events, {}, 50 at once", form.name()),
                &events::measure(&scale, &runtime, &system, form),
            );
        }
    }
    if is_chosen("tasks") {
        print(
            "tasks put into a queue, named, 32 at once",
            &tasks::measure(&scale, &runtime, &system),
        );
    }
    if is_chosen("programs") {
        for kind in [programs::Kind::Exec, programs::Kind::Persistent] {
            print(kind.words(), &programs::measure(&scale, &runtime, &system, kind));
        }
    }
}

fn print(what: &str, pair: &Paired) {
    let (ours, bare) = pair.medians();
    println!("{what:<58} {ours:>10.0} {bare:>12.0} {:>6.2}", pair.ratio());
}

/// Does something for each, so many at once. How many a second.
pub(crate) async fn rate<T, F: Future<Output = ()>>(
    items: Vec<T>,
    at_once: usize,
    each: impl FnMut(T) -> F,
) -> f64 {
    let (count, began) = (items.len(), Instant::now());
    stream::iter(items).map(each).buffer_unordered(at_once).collect::<Vec<()>>().await;
    count as f64 / began.elapsed().as_secs_f64()
}
