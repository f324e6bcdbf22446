//! `kill -9` of the worker, at any moment of a poll.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use brigade_emulator::storage::Operation;
use fastrand::Rng;

use crate::{
    files::Files,
    google::{Google, PICKY},
    proxy::Proxy,
    rounds,
};

/// A file that ends its worker leaves its program's directory behind; the next worker removes it, and no other.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_worker_leaves_in_the_temporary_directory_is_removed_at_the_next_start() {
    const WAIT: &str = "sh -c 'echo > \"$TMPDIR/begun\"; exec sleep 60' sh";
    let google = Google::start().await;
    let temp = tempfile::tempdir().unwrap();
    let old = temp.path().join("brigade-old");
    fs::create_dir(&old).unwrap();
    let begun = || {
        let runs = directories(temp.path()).into_iter().flat_map(|base| directories(&base));
        runs.filter(|run| run.join("tmp/begun").exists()).collect::<Vec<_>>()
    };
    let (mut killed, at) = google.worker_in(WAIT, temp.path()).await;
    let (_poller, address) = google.poller(at, "gs://data/processed/").await;
    google.emulator.storage().put("in/a", "x").unwrap();
    let poll = google.poll(address);
    tokio::pin!(poll);
    while begun().is_empty() {
        tokio::select! {
            answer = &mut poll => panic!("{answer:?}"),
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
    let [left] = &*begun() else { panic!("one program runs") };
    // A worker that starts beside a living one takes nothing from it.
    let (mut beside, _) = google.worker_in(WAIT, temp.path()).await;
    beside.kill();
    assert!(!beside.log().contains("were killed") && left.exists());
    killed.kill();
    assert!(left.exists());
    let (next, _) = google.worker_in(WAIT, temp.path()).await;
    next.says("were killed").await;
    assert_eq!(directories(temp.path()), [old]);
}

fn directories(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_at_any_moment_costs_no_file() {
    let rounds = rounds::count();
    let google = Google::start().await;
    let (mut worker, address) = google.worker(PICKY).await;
    let proxy = Proxy::before(address).await;
    let (poller, address) = google.poller(proxy.address, "gs://data/processed/").await;
    let mut cut = 0;
    for seed in 1_000..1_000 + rounds {
        eprintln!("worker: seed {seed}");
        let mut rng = Rng::with_seed(seed);
        let mut files = Files::lay(&google, seed, &mut rng);
        rounds::faults(&google, &mut rng);
        let reads = || google.emulator.storage().calls().count(Operation::Read);
        let moment = reads() + rng.u64(1..=files.count());
        let later = Duration::from_micros(rng.u64(0..8_000));
        let poll = google.poll(address);
        let kill = async {
            while reads() < moment {
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
            tokio::time::sleep(later).await;
        };
        tokio::pin!(poll);
        let ended = tokio::select! {
            answer = &mut poll => Some(answer),
            () = kill => None,
        };
        worker.kill();
        if rng.bool() {
            files.upload_one_again(&google, &mut rng);
        }
        let (next, at) = google.worker(PICKY).await;
        proxy.point_at(at);
        worker = next;
        if ended.is_none() {
            cut += 1;
            poll.await.unwrap();
        }
        google.drain(address, &poller, || {}).await;
        files.check(&google);
        assert!(!google.lease(), "the poller lives, and gives its lease back");
    }
    println!(
        "{rounds} workers killed, {cut} of them in the midst of a poll: nothing lost, nothing doubled"
    );
    assert!(2 * cut >= rounds, "{cut} of {rounds} polls were cut");
}
