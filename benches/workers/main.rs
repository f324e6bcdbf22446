//! How many files a second one pandas script reads as each kind of worker: `cargo bench --bench workers`.
//!
//! One poll of small CSV files, with 4 calls in flight, over real sockets, through each worker in turn. Each is warm before:
//! its imports are done. A figure is the median of the rounds. CPU is that of all processes, this one too, which is also
//! storage and the poller: the sample's line shows how much that is. What Python needs is installed below `target/`.
//! Arguments choose kinds. With `BENCH_SMOKE=1` short rounds show that all of it runs, and nothing is judged.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "figures are for people")]

mod cpu;
mod python;
mod system;
mod worker;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use brigade_runtime::telemetry::{self, Format};

use self::{python::Python, system::System, worker::Kind};

/// What one poll took.
#[derive(Clone, Copy)]
struct Measured {
    files_a_second: f64,
    cpu_a_file: Duration,
}

const WARM_UP: Duration = Duration::from_secs(10);

/// `persistent` against another kind, and the least that is wanted.
const GOALS: [(Kind, f64); 3] = [(Kind::Grpc, 0.9), (Kind::Flask, 1.3), (Kind::Exec, 80.0)];

async fn measure(kind: Kind, system: &System, python: &Python, files: usize) -> Measured {
    let worker = kind.start(system, python).await;
    let poller = system.poller(&worker).await;
    // Every process has its imports and its first calls behind it.
    let began = Instant::now();
    while began.elapsed() < WARM_UP {
        system.lay(8);
        poller.poll(8).await;
    }
    system.lay(files);
    let (cpu, began) = (cpu::used(), Instant::now());
    poller.poll(files).await;
    let (took, cpu) = (began.elapsed(), cpu::used().saturating_sub(cpu));
    drop(poller);
    worker.end().await;
    let files = u32::try_from(files).unwrap();
    Measured { files_a_second: f64::from(files) / took.as_secs_f64(), cpu_a_file: cpu / files }
}

fn median(measured: &mut [Measured]) -> Measured {
    measured.sort_by(|a, b| a.files_a_second.total_cmp(&b.files_a_second));
    measured[measured.len() / 2]
}

fn main() -> ExitCode {
    // Every line is made, as it is in production, and goes nowhere.
    let logs = telemetry::subscriber(Format::Json, "info", std::io::sink);
    tracing::subscriber::set_global_default(logs).unwrap();
    let is_smoke = std::env::var_os("BENCH_SMOKE").is_some();
    let chosen: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let is_chosen =
        |kind: &&Kind| chosen.is_empty() || chosen.iter().any(|word| word == kind.name());
    let (rounds, files) = if is_smoke { (1, 20) } else { (3, 200) };
    let python = Python::install();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let system = runtime.block_on(System::start());
    let mut measured: Vec<(Kind, Vec<Measured>)> =
        Kind::ALL.iter().filter(is_chosen).map(|kind| (*kind, Vec::new())).collect();
    for _ in 0..rounds {
        for (kind, of_kind) in &mut measured {
            // A file takes seconds there.
            let files = if *kind == Kind::Exec { files / 10 } else { files };
            of_kind.push(runtime.block_on(measure(*kind, &system, &python, files)));
        }
    }
    println!("worker       files/s   CPU a file");
    let mut results = Vec::new();
    for (kind, mut of_kind) in measured {
        let Measured { files_a_second, cpu_a_file } = median(&mut of_kind);
        println!(
            "{:<12} {files_a_second:>7.2}   {:>7.1} ms",
            kind.name(),
            cpu_a_file.as_secs_f64() * 1e3
        );
        results.push((kind, files_a_second));
    }
    let of = |wanted: Kind| results.iter().find(|(kind, _)| *kind == wanted).map(|(_, rate)| *rate);
    let mut is_met = true;
    for (kind, least) in GOALS {
        if let Some((ours, theirs)) = of(Kind::Persistent).zip(of(kind)) {
            let ratio = ours / theirs;
            let verdict = match () {
                () if is_smoke => "not judged",
                () if ratio >= least => "met",
                () => {
                    is_met = false;
                    "MISSED"
                }
            };
            println!("persistent / {:<6} {ratio:>7.2}   goal {least}: {verdict}", kind.name());
        }
    }
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
