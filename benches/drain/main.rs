//! How long a poller takes to empty an inbox through a worker whose places it does not know: `cargo bench --bench drain`.
//!
//! The worker has C places, and the poller has at most M calls in flight. N = max(40, 20·C) files of 0.5 s of work each
//! take N·0.5/min(C, M) seconds at best. The table has the time that the poll took as a ratio to that, start included, and
//! the calls a file that arrived at the worker. Both are judged where C ≥ 4 and the work is constant. Poller, client, socket
//! and worker are the real ones; the bucket is in memory.
//!
//! Arguments choose cells: each must be a column of the cell, as in `-- grpc 200/256 constant`. `-- --quick` leaves out what
//! takes longest. With `BENCH_SMOKE=1` short cells show that all of it runs, and nothing is judged.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "figures are for people")]

mod cell;
mod worker;

use std::{process::ExitCode, time::Duration};

use brigade_runtime::telemetry::{self, Format};

use self::cell::{Cell, Measured, Protocol, Work};

const MAX_RATIO: f64 = 1.25;
const MAX_CALLS: f64 = 1.3;

/// The cells of this run.
fn cells(arguments: &[String], is_smoke: bool) -> Vec<Cell> {
    let work = Duration::from_millis(if is_smoke { 20 } else { 500 });
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let chosen = arguments.iter().filter(|argument| !argument.starts_with("--"));
    let chosen: Vec<_> = chosen.collect();
    let mut cells = Vec::new();
    for work in [Work::Constant(work), Work::Exponential(work)] {
        for protocol in [Protocol::Grpc, Protocol::Http] {
            for (places, most) in
                [(1, 32), (1, 256), (4, 32), (4, 256), (32, 32), (32, 256), (200, 32), (200, 256)]
            {
                let cell = Cell { protocol, places, most, work };
                let is_short = matches!((places, most), (4 | 32, 32) | (200, 256));
                let is_wanted = match () {
                    () if is_smoke => places == 4,
                    () if is_quick => is_short && cell.is_judged(),
                    () => true,
                };
                let words = cell.words();
                if is_wanted && chosen.iter().all(|word| words.contains(word)) {
                    cells.push(cell);
                }
            }
        }
    }
    cells
}

fn main() -> ExitCode {
    // Every line is made, as it is in production, and goes nowhere.
    let logs = telemetry::subscriber(Format::Json, "info", std::io::sink);
    tracing::subscriber::set_global_default(logs).unwrap();
    let is_smoke = std::env::var_os("BENCH_SMOKE").is_some();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    println!("client  C/M      work         files   ideal    took   ratio  calls a file  verdict");
    let mut is_met = true;
    for cell in cells(&arguments, is_smoke) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let Measured { files, ideal, took, calls_a_file } = runtime.block_on(cell.measure());
        let ratio = took.as_secs_f64() / ideal.as_secs_f64();
        let verdict = match () {
            () if is_smoke || !cell.is_judged() => "not judged",
            () if ratio <= MAX_RATIO && calls_a_file <= MAX_CALLS => "met",
            () => {
                is_met = false;
                "MISSED"
            }
        };
        let [protocol, size, work] = cell.words();
        println!(
            "{protocol:<7} {size:<8} {work:<12} {files:>5} {:>6.1}s {:>6.1}s  {ratio:>6.2}  {calls_a_file:>12.2}  {verdict}",
            ideal.as_secs_f64(),
            took.as_secs_f64(),
        );
    }
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
