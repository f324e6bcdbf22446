//! SIGTERM at the real binary, as Cloud Run sends it 10 s before it kills: what is in flight is settled or left where it is.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use brigade_emulator::Emulator;
use brigade_worker::{Job, Outcome, ProcessError, Processor, settings::WorkerSettings};
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};

use super::command::{POLLER, Running, brigade, google, loopback, serve, store};

const OBJECTS: usize = 100;
/// Longer than anything here takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Counts who comes in; then half of them are let go when the signal was sent, and the others never are.
#[derive(Clone)]
struct Waiting {
    arrived: Arc<Semaphore>,
    signalled: watch::Receiver<bool>,
}

impl Processor for Waiting {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        self.arrived.add_permits(1);
        if job.object().name.ends_with(['1', '3', '5', '7', '9']) {
            std::future::pending::<()>().await;
        }
        // A sender that is gone ends the test, not the wait.
        let _ = self.signalled.clone().wait_for(|sent| *sent).await;
        Ok(Outcome::default())
    }
}

/// The machine's own account is both the poller's and its caller's.
async fn filled() -> Emulator {
    let emulator = google(&[POLLER]).await;
    for number in 0..OBJECTS {
        let bucket = emulator.storage().bucket("data");
        let name = format!("incoming/{number:03}");
        bucket.put(&name, format!("content {number}")).unwrap();
    }
    emulator
}

/// A worker of this process; it ends with the test.
async fn worker(emulator: &Emulator, processor: Waiting) -> String {
    let (listener, url) = loopback().await;
    let settings = WorkerSettings { concurrency: Some(OBJECTS), ..WorkerSettings::default() };
    let routes = brigade_worker::routes(processor, store(emulator).await, &settings);
    serve((listener, &url), routes, emulator, POLLER);
    url
}

/// The poller, and where it listens, from its first line.
fn poller(emulator: &Emulator, worker: &str) -> (Running, String) {
    let mut child = brigade(&std::env::temp_dir(), ["poller"])
        .envs(emulator.env())
        .env("PORT", "0")
        .env("BRIGADE_BIND", "127.0.0.1")
        .env("BRIGADE_INBOX", "gs://data/incoming/")
        .env("BRIGADE_CONCURRENCY", OBJECTS.to_string())
        .env("WORKER_URL", worker)
        .env("BRIGADE_AUDIENCE", "https://poller.test")
        .env("BRIGADE_ALLOWED_CALLERS", POLLER)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let line: serde_json::Value = serde_json::from_str(&first).unwrap();
    let address = line["address"].as_str().unwrap().to_owned();
    // A process whose output is not read would wait.
    std::thread::spawn(move || lines.count());
    (Running(child), address)
}

async fn token(emulator: &Emulator) -> String {
    let path = "computeMetadata/v1/instance/service-accounts/default/identity";
    let url = emulator.url().join(path).unwrap();
    let request = reqwest::Client::new()
        .get(url)
        .query(&[("audience", "https://poller.test"), ("format", "full")])
        .header("Metadata-Flavor", "Google");
    request.send().await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_objects_in_flight_are_settled_or_stay_and_the_process_ends_in_time() {
    let emulator = filled().await;
    let (signal, signalled) = watch::channel(false);
    let arrived = Arc::new(Semaphore::new(0));
    let processor = Waiting { arrived: arrived.clone(), signalled };
    let worker = worker(&emulator, processor).await;
    let (mut poller, address) = poller(&emulator, &worker);
    let called = reqwest::Client::new()
        .post(format!("http://{address}/poll"))
        .bearer_auth(token(&emulator).await)
        .send();
    let called = tokio::spawn(called);
    let all = u32::try_from(OBJECTS).unwrap();
    let in_flight = timeout(PATIENCE, arrived.acquire_many(all)).await;
    in_flight.expect("all are in flight").unwrap().forget();

    let pid = poller.0.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(sent.unwrap().success());
    signal.send_replace(true);
    // Cloud Run gives it 10 s, of which a busy machine may take more for itself; the calls alone would keep it for minutes.
    let ended = tokio::task::spawn_blocking(move || poller.0.wait().unwrap());
    let status = timeout(PATIENCE, ended).await.expect("it ends");
    assert!(status.unwrap().success());

    // The caller gets a summary, or that the connection ended.
    let _ = called.await.unwrap();
    let bucket = emulator.storage().bucket("data");
    let objects = bucket.list("").unwrap();
    assert_eq!(objects.len(), OBJECTS, "nothing lost, nothing doubled, no lease left");
    for object in objects {
        let (folder, number) = object.name.split_once('/').unwrap();
        let number: usize = number.parse().unwrap();
        // One that was given up, or was answered after the grace, stays; none is blamed for the signal.
        let may_be = if number % 2 == 1 { &["incoming"][..] } else { &["processed", "incoming"] };
        assert!(may_be.contains(&folder), "{}", object.name);
        let content = bucket.read(&object.name).unwrap().unwrap();
        assert_eq!(content, format!("content {number}"));
    }
    let processed = bucket.list("processed/").unwrap().len();
    assert!(processed > 0, "what was answered in time is settled");
    emulator.stop().await;
}
