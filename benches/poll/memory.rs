//! The peak memory of a poll and of a replay, each in a process of its own that holds nothing else: no emulator, no worker,
//! and a bucket that makes its objects while it is listed.
//!
//! A poll of one page never holds the end of one and the beginning of the next, so more pages take a little more; after
//! that it is flat. The goal allows half as much again: over a million objects that is 5 bytes each, and what keeps
//! anything of an object keeps more.

use std::{fs, process::Command, sync::Arc, time::Duration};

use brigade_poller::{config::Config, poller::Poller, request::Trigger};
use brigade_proto::v1::{PollRequest, ReplayObjectsRequest};
use brigade_sim::Synthetic;
use brigade_storage::Location;
use futures::StreamExt as _;

use crate::{Figure, Scale, accepting::Accepting};

/// Asks this program to measure, and to print what it found.
const ASK: &str = "--measure-memory-of";
const FEW: u64 = 1_000;
/// Objects of the replay, and by how many KiB its process may grow.
const REPLAYED: u64 = 100_000;
const MOST_REPLAY: u64 = 64 * 1024;

/// What becomes of the objects.
const WORK: [(&str, &str); 2] =
    [("processed", "all processed, 32 in flight"), ("filtered", "all filtered out")];

/// Polls or replays as this process was asked to, and tells by how many KiB its memory grew at its peak, or its whole peak for a poll.
pub(crate) fn asked_for() -> Option<u64> {
    let mut arguments = std::env::args().skip_while(|argument| argument != ASK);
    arguments.next()?;
    let work = arguments.next().unwrap();
    let objects = arguments.next().unwrap().parse().unwrap();
    // As the service has it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if work == "replayed" {
        let before = peak();
        runtime.block_on(replay(objects));
        return Some(peak() - before);
    }
    runtime.block_on(poll(&work, objects));
    Some(peak())
}

/// One figure for each work of a poll, and one for the replay.
pub(crate) fn figures(scale: &Scale) -> Vec<Figure> {
    let growth = measured("replayed", REPLAYED);
    let replay = Figure {
        what: format!("growth of memory at the peak of a replay of {REPLAYED} objects"),
        measured: format!("{growth} KiB"),
        goal: "≤ 64 MiB",
        met: growth <= MOST_REPLAY,
    };
    polls(scale).into_iter().chain([replay]).collect()
}

fn polls(scale: &Scale) -> Vec<Figure> {
    let figure = |(work, words): (&str, &str)| {
        let few = measured(work, FEW);
        let many = measured(work, scale.most_objects);
        println!(
            "peak memory, {words}: {few} KiB for {FEW} objects, {many} KiB for {}",
            scale.most_objects
        );
        #[allow(clippy::cast_precision_loss, reason = "no process has 2^52 KiB")]
        let (ratio, few) = (many as f64 / few as f64, few as f64 / 1024.0);
        Figure {
            what: format!("peak memory for {} objects, {words}, to {FEW}", scale.most_objects),
            measured: format!("{ratio:.2} of {few:.1} MiB"),
            goal: "≤ 1.5",
            met: ratio <= 1.5,
        }
    };
    WORK.map(figure).into()
}

fn measured(work: &str, objects: u64) -> u64 {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args([ASK, work, &objects.to_string()]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// `VmHWM`: the most that was ever resident, in KiB. Linux has it.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn poll(work: &str, objects: u64) {
    let bucket = Synthetic::new("data", "in/", objects);
    let mut config = Config::for_inbox(Location::new("data", "in/"));
    if work == "filtered" {
        // What was uploaded in 1970 is older than any age but this one.
        config.min_age = Duration::MAX;
    }
    config.budgets.poll_deadline = Duration::from_hours(1);
    let poller = Poller::new(config, &bucket, Arc::new(Accepting)).lease(false);
    let mut events = poller.start(&PollRequest::default(), &Trigger::default()).unwrap();
    while let Some(event) = events.recv().await {
        event.unwrap();
    }
    assert_eq!(bucket.shown(), objects);
    assert_eq!(bucket.written(), if work == "processed" { objects } else { 0 });
}

/// All results pass through this process, as through a poller that streams them to its caller.
async fn replay(objects: u64) {
    let bucket = Synthetic::new("data", "failed/", objects);
    let config = Config::for_inbox(Location::new("data", "in/"));
    let poller = Poller::new(config, &bucket, Arc::new(Accepting)).lease(false);
    let request = ReplayObjectsRequest { all: true, ..ReplayObjectsRequest::default() };
    let mut results = std::pin::pin!(poller.replay(request).unwrap());
    while let Some(result) = results.next().await {
        result.unwrap();
    }
    assert_eq!((bucket.shown(), bucket.written()), (objects, objects));
}
