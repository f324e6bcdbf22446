//! How the real worker answers while it is attacked: `bash .ci/attack`, against the release binary.
//!
//! Each attack runs twice on one worker. For each run: the median and the worst time of a health check on a new connection
//! while it lasts, and the memory after it. With `BENCH_SMOKE=1` nothing is judged.

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

/// A health check at any time, at the median and at worst.
const MEDIAN: Duration = Duration::from_millis(100);
const WORST: Duration = Duration::from_secs(1);
/// What the second run of an attack may add to the memory after the first.
const MORE_MEMORY: u64 = 10 << 20;
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

/// Whether both runs of an attack met the goals.
async fn measured(probe: Probe) -> bool {
    let service = Service::start_for(probe, &[]).await;
    let before = service.memory();
    let first = attacked(probe, &service, before).await;
    let second = attacked(probe, &service, first.memory).await;
    let more = second.memory.saturating_sub(first.memory);
    let met = first.healthy && second.healthy && more < MORE_MEMORY;
    println!("{:<14} {}", "", if met { "met" } else { "MISSED" });
    met
}

struct Run {
    healthy: bool,
    memory: u64,
}

async fn attacked(probe: Probe, service: &Service, before: u64) -> Run {
    let watch = service.watched();
    let attacked = probe.run(service).await;
    // The connections that were not closed are still there.
    sleep(Duration::from_millis(300)).await;
    let Seen { failed, mut times } = watch.ended().await;
    drop(attacked);
    let memory = service.rested().await;
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "{:<14} health of {:>4} checks: median {:>9.2?}, worst {:>9.2?}, failed {failed}; memory {:>6} KiB, {:>6} more",
        format!("{probe:?}"),
        times.len(),
        median,
        worst,
        memory / 1024,
        memory.saturating_sub(before) / 1024,
    );
    Run { healthy: failed == 0 && median < MEDIAN && worst < WORST, memory }
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
