//! What the poller costs: `cargo bench --bench poll`.
//!
//! Speed is paired in one run: a poll takes turns with a bare loop that makes the same calls through the same clients,
//! against the same emulator and the same worker, and a figure is the median of what each round says. Storage calls are
//! those that the emulator counted. Memory is that of a process of its own, which polls a bucket that makes its objects
//! while it is listed. With `BENCH_SMOKE=1` a few short rounds show that all of it runs, and nothing is judged.
//! `cargo bench --bench poll -- memory` measures memory alone.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "figures are for people")]

mod accepting;
mod bare;
mod calls;
mod memory;
#[allow(dead_code, reason = "the other bench uses the rest of it")]
#[path = "../identity/rounds.rs"]
mod rounds;
mod speed;
#[allow(dead_code, reason = "the bench of the other ways uses the rest of it")]
mod system;
mod waiting;
mod wiring;

use std::{process::ExitCode, time::Duration};

use brigade_runtime::telemetry::{self, Format};

/// How much is measured.
struct Scale {
    rounds: usize,
    objects: usize,
    most_objects: u64,
    judged: bool,
}

/// One goal, and whether it was met.
struct Figure {
    what: String,
    measured: String,
    goal: &'static str,
    met: bool,
}

// === impl Scale ===

impl Scale {
    fn from_env() -> Self {
        if std::env::var_os("BENCH_SMOKE").is_some() {
            return Self { rounds: 1, objects: 300, most_objects: 20_000, judged: false };
        }
        Self { rounds: 9, objects: 2_000, most_objects: 1_000_000, judged: true }
    }
}

fn main() -> ExitCode {
    // Every line is made, as it is in production, and goes nowhere.
    let logs = telemetry::subscriber(Format::Json, "info", std::io::sink);
    tracing::subscriber::set_global_default(logs).unwrap();
    if let Some(measured) = memory::asked_for() {
        println!("{measured}");
        return ExitCode::SUCCESS;
    }
    let scale = Scale::from_env();
    let is_memory_alone = std::env::args().any(|argument| argument == "memory");
    let mut figures = if is_memory_alone { Vec::new() } else { speed_and_calls(&scale) };
    figures.extend(memory::figures(&scale));
    println!();
    for figure in &figures {
        let verdict = match (scale.judged, figure.met) {
            (false, _) => "not judged",
            (true, true) => "met",
            (true, false) => "MISSED",
        };
        println!("{:<66} {:>28}   goal {:<8} {verdict}", figure.what, figure.measured, figure.goal);
    }
    if scale.judged && figures.iter().any(|figure| !figure.met) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn speed_and_calls(scale: &Scale) -> Vec<Figure> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let idle = runtime.block_on(system::System::start(Duration::ZERO));
    let busy = runtime.block_on(system::System::start(Duration::from_millis(20)));
    let mut figures = vec![
        speed::figure(scale, &runtime, &idle, "0 ms"),
        speed::figure(scale, &runtime, &busy, "20 ms"),
    ];
    figures.extend(calls::figures(scale, &runtime, &idle));
    figures
}
