//! How much memory a large object takes. The worker is a process of its own, whose peak the kernel counts.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use brigade_proto::v1::worker_service_client::WorkerServiceClient;
use brigade_runtime::guard::GuardSettings;
use brigade_worker::{Job, Outcome, ProcessError, Processor, WorkerSettings, serve::serve_on};
use futures::TryStreamExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    request,
    server::{Content, Script, serve},
    store,
};

const SIZE: u64 = 2 * 1024 * 1024 * 1024;
const LIMIT_KIB: u64 = 64 * 1024;
const STORAGE: &str = "DOWNLOAD_TEST_STORAGE";
const SERVES: &str = "the worker is at ";

/// Counts bytes, and the memory that this process had at its peak.
struct Counts;

impl Processor for Counts {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        let before = peak_kib();
        let add = |sum, chunk: bytes::Bytes| async move { Ok(sum + chunk.len()) };
        let read: usize = job.read().await?.try_fold(0, add).await?;
        Ok(Outcome::default()
            .label("read", read.to_string())
            .label("before_kib", before.to_string())
            .label("peak_kib", peak_kib().to_string()))
    }
}

/// `VmHWM`: the most that was ever resident, code and libraries included (proc(5)).
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse().unwrap()
}

/// The worker's process; it ends with the test.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the worker over this storage, and returns its URL.
fn worker(storage: &str) -> (Worker, String) {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["large::the_worker", "--exact", "--ignored", "--nocapture"])
        .env(STORAGE, storage)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut worker = Worker(child.unwrap());
    let lines = BufReader::new(worker.0.stdout.take().unwrap()).lines();
    let url =
        lines.map(Result::unwrap).find_map(|line| Some(line.split_once(SERVES)?.1.to_owned()));
    (worker, url.unwrap())
}

#[tokio::test]
#[ignore = "the other half of the test below, in a process of its own"]
async fn the_worker() {
    let storage = std::env::var(STORAGE).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{SERVES}http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let hears = stop.clone();
    // Its parent's end closes the pipe.
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        hears.cancel();
    });
    let settings = WorkerSettings::default();
    let store = store(&storage).await;
    let served = serve_on(listener, Counts, &settings, GuardSettings::off(), store, stop);
    served.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gibibytes_are_streamed_in_less_than_64_mebibytes_of_worker_memory() {
    let address = serve(Content::Zeros(SIZE), Arc::new(Script::default())).await;
    let (_worker, url) =
        tokio::task::spawn_blocking(move || worker(&address.to_string())).await.unwrap();
    let mut client = WorkerServiceClient::connect(url).await.unwrap();
    let answer = client.process(request(SIZE, zeros(SIZE))).await;
    let labels = answer.unwrap().into_inner().labels;
    println!("{labels:?}");
    assert_eq!(labels["read"], SIZE.to_string());
    let peak: u64 = labels["peak_kib"].parse().unwrap();
    assert!(peak < LIMIT_KIB, "{peak} KiB: {labels:?}");
}

/// The CRC32C of so many zeros, a power of two: each doubling is one step.
fn zeros(count: u64) -> u32 {
    assert!(count.is_power_of_two());
    let mut length = 1_usize;
    let mut sum = crc32c::crc32c(&[0]);
    while (length as u64) < count {
        sum = crc32c::crc32c_combine(sum, sum, length);
        length *= 2;
    }
    sum
}
