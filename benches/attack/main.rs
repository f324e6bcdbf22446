//! How the real worker answers while it is attacked: `cargo bench --bench attack`.
//!
//! For each attack: the slowest health check on a new connection while it lasts, the 99th percentile beside that of the same
//! client before it, and the memory that it costs. With `BENCH_SMOKE=1` nothing is judged.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "figures are for people")]

#[path = "../../services/brigade/tests/attack/caller.rs"]
mod caller;
#[path = "../../services/brigade/tests/attack/probes/mod.rs"]
#[allow(dead_code, reason = "the tests judge more of a probe than the bench")]
mod probes;
#[path = "../../services/brigade/tests/attack/service.rs"]
mod service;
#[path = "../../services/runtime/src/serve/tests/wire.rs"]
#[allow(dead_code, reason = "each of its users takes what it needs")]
mod wire;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use probes::{ALL, Probe};
use service::{Seen, Service};
use tokio::time::sleep;

/// A health check at any time.
const HEALTHY: Duration = Duration::from_secs(1);
/// A health check while a thousand connections are idle.
const HEALTHY_AMONG_IDLE: Duration = Duration::from_millis(50);
/// When the last idle connection must be closed.
const ALL_CLOSED: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    let judged = std::env::var_os("BENCH_SMOKE").is_none();
    let mut met = true;
    for probe in ALL {
        met &= measured(probe).await;
    }
    if judged {
        met &= idle_connections_end().await;
    }
    if judged && !met {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

async fn measured(probe: Probe) -> bool {
    let service = Service::start(&[]).await;
    let quiet = watched(&service, async { sleep(Duration::from_millis(500)).await }).await;
    let before = service.memory();
    let watch = service.watched();
    let attacked = probe.run(&service).await;
    // The connections that were not closed are still there.
    sleep(Duration::from_millis(300)).await;
    let seen = watch.ended().await;
    drop(attacked);
    let grown = service.peak_memory().saturating_sub(before) / 1024;
    let goal = match probe {
        Probe::Idle => HEALTHY_AMONG_IDLE,
        _ => HEALTHY,
    };
    let slowest = seen.times.iter().max().copied().unwrap_or_default();
    let met = seen.failed == 0 && slowest < goal;
    println!(
        "{:<14} health: slowest {:>9.2?}, p99 {:>9.2?} of {:>4} (quiet: p99 {:>9.2?}), goal < {goal:?}: {}; {grown} KiB more",
        format!("{probe:?}"),
        slowest,
        p99(seen.times.clone()),
        seen.times.len(),
        p99(quiet.times),
        if met { "met" } else { "MISSED" },
    );
    met
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() * 99 / 100]
}

async fn watched(service: &Service, meanwhile: impl Future<Output = ()>) -> Seen {
    let watch = service.watched();
    meanwhile.await;
    watch.ended().await
}

/// All of a thousand idle connections are closed by the service in a minute.
async fn idle_connections_end() -> bool {
    let service = Service::start(&[]).await;
    let attacked = Probe::Idle.run(&service).await;
    let began = Instant::now();
    attacked.all_closed().await;
    let took = began.elapsed();
    println!(
        "Idle           all of 1,000 connections closed after {took:.1?}, goal < {ALL_CLOSED:?}"
    );
    took < ALL_CLOSED
}
