//! SIGTERM with work in flight.

use std::{fs, path::Path, process::Command, time::Duration};

use brigade_emulator::storage::Operation;

use crate::{
    google::Google,
    process::{PATIENCE, Process},
    proxy::Proxy,
};

const PROCESSED: &str = "gs://data/processed/";
/// Takes longer than any grace.
const ENDLESS: &str = "sh -c 'sleep 600' sh";

/// Four files, of which as many are in flight as the poller may have.
async fn in_flight(google: &Google) {
    let calls = || google.emulator.storage().calls().count(Operation::Read);
    while calls() < 4 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The program begins after its file was read.
    tokio::time::sleep(Duration::from_millis(200)).await;
}

fn lay(google: &Google, count: usize) {
    let storage = google.emulator.storage();
    for n in 0..count {
        storage.put(&format!("in/{n}"), "x").unwrap();
    }
}

/// A program that runs until the directory has a file called `go`.
fn waiting(directory: &Path) -> String {
    let go = directory.join("go");
    format!("sh -c 'until [ -e {} ]; do sleep 0.05; done' sh", go.display())
}

/// A signal while files are in flight, whose programs end when the process has noticed it.
async fn end_in_flight(google: &Google, process: &Process, directory: &Path) {
    in_flight(google).await;
    process.terminate();
    process.says("shutting down").await;
    fs::write(directory.join("go"), "").unwrap();
}

/// Waits until it ends, which it does without an error.
async fn ends_well(process: Process) -> String {
    let (status, log) = process.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poller_that_is_told_to_end_settles_what_is_in_flight_and_gives_its_lease_back() {
    let google = Google::start().await;
    let directory = tempfile::tempdir().unwrap();
    let (_worker, at) = google.worker(&waiting(directory.path())).await;
    let (poller, address) = google.poller(at, PROCESSED).await;
    lay(&google, 6);
    let ending = end_in_flight(&google, &poller, directory.path());
    let (answer, ()) = tokio::join!(google.poll(address), ending);
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.reason()), (200, "END_REASON_SHUTDOWN"));
    assert_eq!(answer.body["counts"]["processed"], "4");
    assert_eq!(answer.body["more"], true);
    ends_well(poller).await;
    assert_eq!(google.names("data", "in/"), ["in/4", "in/5"]);
    let processed = ["processed/0", "processed/1", "processed/2", "processed/3"];
    assert_eq!(google.names("data", "processed/"), processed);
    assert_eq!(google.names("data", "").len(), 6, "no lease is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poller_that_is_told_to_end_gives_up_what_outlasts_the_grace_at_no_attempt() {
    let google = Google::start().await;
    let (worker, at) = google.worker(ENDLESS).await;
    let (poller, address) = google.poller(at, PROCESSED).await;
    lay(&google, 4);
    let (answer, ()) = tokio::join!(google.poll(address), async {
        in_flight(&google).await;
        poller.terminate();
    });
    assert_eq!(answer.unwrap().reason(), "END_REASON_SHUTDOWN");
    ends_well(poller).await;
    assert_eq!(google.names("data", ""), ["in/0", "in/1", "in/2", "in/3"]);
    assert_eq!(google.emulator.storage().calls().count(Operation::Update), 0);
    // The calls that were given up end their programs, so nothing keeps the worker.
    worker.terminate();
    ends_well(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_end_answers_what_it_has_begun() {
    let google = Google::start().await;
    let directory = tempfile::tempdir().unwrap();
    let (worker, at) = google.worker(&waiting(directory.path())).await;
    let (_poller, address) = google.poller(at, PROCESSED).await;
    lay(&google, 4);
    let ending = end_in_flight(&google, &worker, directory.path());
    let (answer, ()) = tokio::join!(google.poll(address), ending);
    let answer = answer.unwrap();
    assert_eq!(answer.body["counts"]["processed"], "4", "{answer:?}");
    ends_well(worker).await;
}

/// The process groups of the programs at work, which each says in a file of its own, once there are so many.
async fn groups(directory: &Path, count: usize) -> Vec<String> {
    loop {
        let files = fs::read_dir(directory).unwrap();
        let said = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        let ids: Vec<_> =
            said.filter(|id| id.ends_with('\n')).map(|id| id.trim().to_owned()).collect();
        if ids.len() == count {
            return ids;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_programs_get_the_signal_too_costs_no_file_and_no_attempt() {
    let google = Google::start().await;
    let directory = tempfile::tempdir().unwrap();
    let endless =
        format!("sh -c 'echo $$ > {}/$$; sleep 600 & wait' sh", directory.path().display());
    let (worker, at) = google.worker(&endless).await;
    let proxy = Proxy::before(at).await;
    let (poller, address) = google.poller(proxy.address, PROCESSED).await;
    lay(&google, 4);
    let (_, next) = tokio::join!(google.poll(address), async {
        worker.terminate_after(&groups(directory.path(), 4).await);
        let log = ends_well(worker).await;
        assert!(log.contains("this worker is shutting down"), "{log}");
        let (next, at) = google.worker("true").await;
        proxy.point_at(at);
        next
    });
    google.drain(address, &poller, || {}).await;
    assert_eq!(
        google.names("data", ""),
        ["processed/0", "processed/1", "processed/2", "processed/3"],
        "{}\n{}",
        poller.log(),
        next.log()
    );
    // An attempt would be written on its object.
    assert_eq!(google.emulator.storage().calls().count(Operation::Update), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_twice_ends_at_once_and_leaves_no_program_behind() {
    let google = Google::start().await;
    let directory = tempfile::tempdir().unwrap();
    let said = directory.path().join("said");
    let pipe = directory.path().join("pipe");
    fs::create_dir(&said).unwrap();
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    // All that the program starts holds the pipe open: it ends with the last of them.
    let stubborn = format!(
        "sh -c 'exec 3>{}; trap \"\" TERM; sleep 600 & echo $$ > {}/$$; wait' sh",
        pipe.display(),
        said.display()
    );
    let (worker, at) = google.worker(&stubborn).await;
    let (_poller, address) = google.poller(at, PROCESSED).await;
    lay(&google, 1);
    let (tell, gone) = tokio::sync::oneshot::channel();
    // A thread that no runtime waits for.
    std::thread::spawn(move || tell.send(fs::read(pipe).is_ok()));
    let (_, ()) = tokio::join!(google.poll(address), async {
        groups(&said, 1).await;
        worker.terminate();
        worker.says("signal again to exit now").await;
        worker.terminate();
        let (status, log) = worker.ended().await;
        assert_eq!(status.code(), Some(130), "{log}");
        let gone = tokio::time::timeout(PATIENCE, gone).await;
        assert!(gone.expect("its programs are gone").unwrap());
    });
    assert_eq!(google.names("data", ""), ["in/0"]);
}
