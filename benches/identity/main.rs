//! What identity costs, paired in one run against the same thing without it: `cargo bench --bench identity`.
//!
//! The two sides of a pair take turns, round by round, so that a machine that slows down slows down both; a figure is the
//! median of what each round says. With `BENCH_SMOKE=1` a few short rounds show that all of it runs, and nothing is judged.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "figures are for people")]

mod attach;
mod first;
mod google;
mod guard;
mod huge;
mod kept;
mod rounds;
mod throughput;

use std::process::ExitCode;

use brigade_runtime::telemetry::{self, Format};
use rounds::Scale;

/// One goal, and whether it was met.
struct Figure {
    what: &'static str,
    measured: String,
    goal: &'static str,
    met: bool,
}

fn main() -> ExitCode {
    // Logs as a deployed service has them: each guarded call has a span that names its caller.
    let logs = telemetry::subscriber(Format::Json, "info", std::io::sink);
    tracing::subscriber::set_global_default(logs).unwrap();
    let scale = Scale::from_env();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let google = runtime.block_on(google::Google::start());
    let figures = [
        guard::figure(&scale, &runtime, &google),
        throughput::figure(&scale, &runtime, &google),
        attach::figure(&scale, &runtime, &google),
        first::figure(&scale, &runtime, &google),
        huge::figure(&scale, &runtime, &google),
        kept::figure(&scale, &runtime, &google),
    ];
    println!();
    for figure in &figures {
        let verdict = match (scale.judged, figure.met) {
            (false, _) => "not judged",
            (true, true) => "met",
            (true, false) => "MISSED",
        };
        println!(
            "{:<58} {:>34}   goal {:<12} {verdict}",
            figure.what, figure.measured, figure.goal
        );
    }
    if scale.judged && figures.iter().any(|figure| !figure.met) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
