//! System calls and allocations of a process, where `perf` is installed and allowed to count them.

use std::{
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// The functions of the allocator that Rust's own calls.
const ALLOCATOR: [&str; 4] = ["malloc", "calloc", "realloc", "posix_memalign"];
const GROUP: &str = "brigade_cost";

/// How many there were.
pub(crate) struct Counts {
    pub(crate) system_calls: u64,
    pub(crate) allocations: u64,
}

/// Counts while `run` lasts.
pub(crate) fn count(process: u32, run: impl FnOnce()) -> Option<Counts> {
    let library = libc()?;
    // A run that was broken off may have left its own.
    perf(&["probe", "--quiet", "--del", &format!("{GROUP}:*")]);
    for function in ALLOCATOR {
        let event = format!("{GROUP}:{function}={function}");
        perf(&["probe", "--quiet", "--force", "--exec", &library, "--add", &event])?;
    }
    let counts = stat(process, run);
    perf(&["probe", "--quiet", "--del", &format!("{GROUP}:*")]);
    counts
}

fn stat(process: u32, run: impl FnOnce()) -> Option<Counts> {
    let events = ALLOCATOR.map(|function| format!("{GROUP}:{function}")).join(",");
    let child = Command::new("perf")
        .args(["stat", "--field-separator=,", "--event", "raw_syscalls:sys_enter", "--event"])
        .args([&events, "--pid", &process.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    // It says nothing when it has begun.
    sleep(Duration::from_millis(500));
    run();
    kill_process(Pid::from_child(&child), Signal::INT).ok()?;
    let said = child.wait_with_output().ok()?.stderr;
    let said = String::from_utf8_lossy(&said).into_owned();
    let count = |name: &str| -> Option<u64> {
        let line = said.lines().find(|line| line.contains(name))?;
        line.split(',').next()?.parse().ok()
    };
    let allocations = ALLOCATOR.iter().map(|function| count(&format!("{GROUP}:{function},")));
    Some(Counts {
        system_calls: count("raw_syscalls:sys_enter,")?,
        allocations: allocations.sum::<Option<u64>>()?,
    })
}

fn perf(arguments: &[&str]) -> Option<()> {
    let mut command = Command::new("perf");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().ok()?.success().then_some(())
}

/// The C library of this process, which is that of the others.
fn libc() -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().find(|line| line.contains("/libc.so"))?;
    path.split_whitespace().last().map(str::to_owned)
}
