//! What the poller costs as a process of its own: `cargo bench --bench cost`.
//!
//! Storage is in this process; the worker, the poller (the built `brigade`) and a bare loop, which makes the same calls
//! through the same clients and nothing else, are processes of their own. Each drains the same objects in turn, and a figure
//! is the median of what each round says. CPU is the kernel's count of the process; `perf` counts system calls and
//! allocations where it is installed and allowed. `BASELINE=/path/to/brigade` measures another binary in the same run.
//! `-- cpu`, `-- rate`, `-- calls`, `-- latency`, `-- idle`, `-- telemetry` and `-- article` choose parts; `-- cpu 32 grpc` chooses
//! cells. With `BENCH_SMOKE=1` short rounds show that all of it runs, and nothing is judged.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "figures are for people")]

mod article;
#[path = "../poll/bare.rs"]
mod bare;
mod calls;
mod cpu;
mod figure;
mod idle;
mod latency;
mod perf;
mod process;
mod rate;
mod roles;
mod subject;
mod system;
mod telemetry;
#[path = "../poll/waiting.rs"]
mod waiting;

use std::process::ExitCode;

use figure::{Figure, Scale};
use system::System;
use tokio::runtime::Runtime;

type Part = fn(&Scale, &System, &Runtime) -> Vec<Figure>;

fn main() -> ExitCode {
    if roles::is_role() {
        return ExitCode::SUCCESS;
    }
    let scale = Scale::from_env();
    let runtime = Runtime::new().unwrap();
    let system = runtime.block_on(System::start());
    let parts: [(&str, Part); 7] = [
        ("cpu", cpu::figures),
        ("rate", rate::figures),
        ("calls", calls::figures),
        ("latency", latency::figures),
        ("idle", idle::figures),
        ("telemetry", telemetry::figures),
        ("article", article::figures),
    ];
    let is_any = parts.iter().any(|(name, _)| scale.is_chosen(name));
    let chosen = parts.iter().filter(|(name, _)| !is_any || scale.is_chosen(name));
    let figures: Vec<_> =
        chosen.flat_map(|(_, figures)| figures(&scale, &system, &runtime)).collect();
    println!();
    for figure in &figures {
        figure.print(&scale);
    }
    if scale.is_judged && figures.iter().any(|figure| !figure.is_met) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
