//! Whether a million objects take as long and as much memory, each, as ten thousand: `cargo bench --bench million`.
//!
//! Each line is a process of its own, with a bucket that makes its objects while it is listed and keeps none. Time is CPU time of
//! 10,000 objects: the median of the last tenth of them to the median of the first tenth, without the first 10,000.
//! Memory is the peak of a million to the peak of 10,000. With `BENCH_SMOKE=1` fewer objects show that all of it runs,
//! and nothing is judged.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]
#![allow(clippy::print_stdout, reason = "figures are for people")]
#![allow(clippy::cast_precision_loss, reason = "no figure comes near 2^52")]

#[path = "../poll/accepting.rs"]
mod accepting;
mod work;

use std::{
    fs,
    process::{Command, ExitCode},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use brigade_runtime::telemetry::{self, Format};
use brigade_sim::Synthetic;

/// Asks this program to measure, and to print what it found.
const ASK: &str = "--measure";
const FEW: u64 = 10_000;
const MANY: u64 = 1_000_000;
const MAX_TIME: f64 = 1.10;
const MAX_MEMORY: f64 = 1.15;
const WORK: [(&str, &str); 5] = [
    ("processed", "a poll that processes all"),
    ("filtered", "a poll that filters all out"),
    ("status", "the status, with failed objects"),
    ("failed", "the list of failed objects"),
    ("replayed", "the replay of failed objects"),
];

/// What one process said.
struct Measured {
    objects: f64,
    kib: f64,
    /// Of the last tenth, to the first.
    ratio: f64,
    micros_each: f64,
}

fn main() -> ExitCode {
    // Every line is made, as it is in production, and goes nowhere.
    let logs = telemetry::subscriber(Format::Json, "info", std::io::sink);
    tracing::subscriber::set_global_default(logs).unwrap();
    let mut arguments = std::env::args().skip_while(|argument| argument != ASK).skip(1);
    if let Some(name) = arguments.next() {
        measure(&name, arguments.next().unwrap().parse().unwrap());
        return ExitCode::SUCCESS;
    }
    let is_smoke = std::env::var_os("BENCH_SMOKE").is_some();
    let many = if is_smoke { 5 * FEW } else { MANY };
    let chosen: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let mut is_met = true;
    println!(
        "{:<34} {:>10} {:>10} {:>6} {:>10} {:>7}",
        "work", "objects", "µs each", "time", "peak KiB", "memory"
    );
    for (name, words) in WORK {
        if !chosen.is_empty() && !chosen.iter().any(|word| word == name) {
            continue;
        }
        let (few, many) = (ask(name, FEW), ask(name, many));
        let memory = many.kib / few.kib;
        let verdict = match () {
            () if is_smoke => "not judged",
            () if many.ratio <= MAX_TIME && memory <= MAX_MEMORY => "met",
            () => {
                is_met = false;
                "MISSED"
            }
        };
        println!(
            "{words:<34} {:>10} {:>10.2} {:>6.2} {:>10} {memory:>7.2}   goals {MAX_TIME} and {MAX_MEMORY}: {verdict}",
            many.objects, many.micros_each, many.ratio, many.kib,
        );
    }
    if chosen.is_empty() {
        for objects in [1_000, FEW, many / 10, many] {
            println!(
                "peak memory of a poll of {objects} objects: {} KiB",
                ask("processed", objects).kib
            );
        }
    }
    if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn ask(name: &str, objects: u64) -> Measured {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args([ASK, name, &objects.to_string()]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = output.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let [objects, kib, ratio, micros_each] = figures[..] else { panic!("{output}") };
    Measured { objects, kib, ratio, micros_each }
}

/// Does it, and prints what it took.
fn measure(name: &str, objects: u64) {
    let prefix = if matches!(name, "processed" | "filtered") { "in/" } else { "failed/" };
    let bucket = Synthetic::new("data", prefix, objects);
    let is_over = Arc::new(AtomicBool::new(false));
    let watched = thread::spawn({
        let (bucket, is_over) = (bucket.clone(), is_over.clone());
        move || watch(&bucket, &is_over)
    });
    // As the service has it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = cpu();
    runtime.block_on(work::run(name, &bucket));
    let took = cpu() - began;
    is_over.store(true, Ordering::Relaxed);
    let times = watched.join().unwrap();
    // The first tenth and the last one, without what the first 10,000 objects warm up.
    let tenth = (times.len() / 10).max(1);
    let first = median(times.iter().skip(1).take(tenth));
    let last = median(times.iter().rev().take(tenth));
    let ratio = last / first;
    let shown = bucket.shown();
    let micros = took * 1e6 / shown as f64;
    // Of too few objects it is no number, which meets no goal.
    println!("{shown} {} {ratio} {micros}", peak());
}

/// The CPU seconds of each 10,000 objects that are listed.
fn watch(bucket: &Synthetic, is_over: &AtomicBool) -> Vec<f64> {
    let (mut times, mut since) = (Vec::new(), cpu());
    while !is_over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(1));
        let done = bucket.shown() / FEW;
        let new = done.saturating_sub(times.len() as u64);
        if new > 0 {
            let now = cpu();
            times.extend((0..new).map(|_| (now - since) / new as f64));
            since = now;
        }
    }
    times
}

/// The CPU seconds of all threads of this process: a busy machine does not lengthen them as it does the time. Linux has it.
fn cpu() -> f64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let nanos = tasks.filter_map(|task| {
        let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e9
}

fn median<'a>(times: impl Iterator<Item = &'a f64>) -> f64 {
    let mut times: Vec<_> = times.copied().collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// `VmHWM`: the most that was ever resident, in KiB. Linux has it.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
