//! What a worker measures. Every attribute has one of a few values of its own.
//!
//! Instruments are created on their first use: one that exists before the meter provider stays a no-op.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use brigade_telemetry::{
    Counter, Histogram, KeyValue, code_name, counter, gauge, measuring, times,
};
use rustix::process::Pid;
use tokio::sync::Semaphore;

static PROCESS: LazyLock<Histogram<f64>> =
    LazyLock::new(|| times("brigade.worker.process.duration", "Runs of the processor"));
static STARTS: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("brigade.program.starts", "{program}", "Programs that were started"));
static RESTARTS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter("brigade.program.restarts", "{program}", "Those of them that replace another process")
});

/// The memory of each process of a persistent program, and when it was read.
static MEMORY: LazyLock<Mutex<HashMap<Pid, (u64, Instant)>>> = LazyLock::new(Mutex::default);
/// It is read again after this long.
const MEMORY_AGE: Duration = Duration::from_secs(10);

/// How a program is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Once for each object.
    Exec,
    /// For one object after the other.
    Persistent,
}

/// Registers the gauges of the worker with these slots, if metrics are read.
pub(crate) fn observe(slots: &Arc<Semaphore>, most: usize) {
    if !measuring() {
        return;
    }
    let slots: Weak<_> = Arc::downgrade(slots);
    let files = move || {
        let free = slots.upgrade()?.available_permits();
        u64::try_from(most.saturating_sub(free)).ok()
    };
    gauge("brigade.worker.in_flight", "{file}", "Files that are processed", files);
    let memory = || {
        let known = memory();
        (!known.is_empty()).then(|| known.values().map(|(bytes, _)| bytes).sum())
    };
    gauge(
        "brigade.program.memory",
        "By",
        "Memory of the processes of a persistent program, as last read",
        memory,
    );
}

/// A run ended with this gRPC status.
pub(crate) fn processed(code: i32, took: Duration) {
    if measuring() {
        PROCESS.record(took.as_secs_f64(), &[KeyValue::new("code", code_name(code))]);
    }
}

/// A program was started.
pub(crate) fn started(kind: Kind, is_again: bool) {
    if measuring() {
        let kind = match kind {
            Kind::Exec => "exec",
            Kind::Persistent => "persistent",
        };
        let kind = [KeyValue::new("kind", kind)];
        STARTS.add(1, &kind);
        if is_again {
            RESTARTS.add(1, &kind);
        }
    }
}

/// Whether the memory of this process is to be read for a metric.
pub(crate) fn wants_memory(process: Pid) -> bool {
    measuring() && memory().get(&process).is_none_or(|(_, at)| at.elapsed() > MEMORY_AGE)
}

/// The memory of a process; nothing once it has ended.
pub(crate) fn has_memory(process: Pid, bytes: Option<u64>) {
    if measuring() {
        match bytes {
            Some(bytes) => drop(memory().insert(process, (bytes, Instant::now()))),
            None => drop(memory().remove(&process)),
        }
    }
}

fn memory() -> MutexGuard<'static, HashMap<Pid, (u64, Instant)>> {
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}
