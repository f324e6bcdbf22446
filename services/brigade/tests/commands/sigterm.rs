//! SIGTERM at the real binary, as Cloud Run sends it 10 s before it kills: what is in flight is settled or left where it is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use brigade::AuthConfig;
use brigade_emulator::{Emulator, identity::ISSUER};
use brigade_runtime::guard::{GuardSettings, Mode};
use brigade_storage::gcs::{Credentials, GcsSettings, GcsStore};
use brigade_worker::{Job, Outcome, ProcessError, Processor, settings::WorkerSettings};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::timeout,
};

/// The first account is whom the metadata server speaks for, and so both the poller and its caller.
const POLLER: &str = "poller@brigade-dev.iam.gserviceaccount.com";
const OBJECTS: usize = 100;
/// Longer than anything here takes on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// Cloud Run's.
const GRACE: Duration = Duration::from_secs(10);

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

async fn loopback() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

async fn google() -> Emulator {
    let emulator = Emulator::builder()
        .memory()
        .bucket("data")
        .service_account(POLLER)
        .start(loopback().await.0)
        .await
        .unwrap();
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
    let endpoint = Some(emulator.url().origin().ascii_serialization());
    let store = GcsStore::connect(GcsSettings {
        grpc_endpoint: endpoint.clone(),
        json_endpoint: endpoint,
        credentials: Credentials::Anonymous,
    });
    let settings = WorkerSettings {
        concurrency: OBJECTS,
        ..WorkerSettings::default()
    };
    let store = Arc::new(store.await.unwrap());
    let routes = brigade_worker::routes(processor, store, &settings);
    let guard = GuardSettings {
        mode: Mode::Verify,
        audiences: vec![url.clone()],
        allowed_callers: vec![POLLER.to_owned()],
        issuers: vec![ISSUER.to_owned()],
        jwks_url: variable(emulator, "BRIGADE_JWKS_URL").parse().unwrap(),
    };
    let gate = AuthConfig::from(guard);
    tokio::spawn(async move {
        let app = brigade::assemble(routes, "brigade.v1.WorkerService", gate.guard);
        axum::serve(listener, app.await.unwrap()).await.unwrap();
    });
    url
}

fn variable(emulator: &Emulator, name: &str) -> String {
    let mut variables = emulator.env().into_iter();
    variables.find(|(known, _)| known == name).unwrap().1
}

/// The binary, killed when the test ends early.
struct Poller(Child);

impl Drop for Poller {
    fn drop(&mut self) {
        // It has ended already when all is well.
        let _ = self.0.kill();
    }
}

/// The poller, and where it listens, from its first line.
fn poller(emulator: &Emulator, worker: &str) -> (Poller, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_brigade"))
        .env_clear()
        .envs(emulator.env())
        .env("PORT", "0")
        .env("BRIGADE_BIND", "127.0.0.1")
        .env("BRIGADE_INBOX", "gs://data/incoming/")
        .env("BRIGADE_CONCURRENCY", OBJECTS.to_string())
        .env("WORKER_URL", worker)
        .env("BRIGADE_AUDIENCE", "https://poller.test")
        .env("BRIGADE_ALLOWED_CALLERS", POLLER)
        .arg("poller")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let line: serde_json::Value = serde_json::from_str(&first).unwrap();
    let address = line["address"].as_str().unwrap().to_owned();
    // Whoever writes into a pipe that nobody reads waits.
    std::thread::spawn(move || lines.count());
    (Poller(child), address)
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
    let emulator = google().await;
    let (signal, signalled) = watch::channel(false);
    let arrived = Arc::new(Semaphore::new(0));
    let processor = Waiting {
        arrived: arrived.clone(),
        signalled,
    };
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
    let ended = tokio::task::spawn_blocking(move || poller.0.wait().unwrap());
    let status = timeout(GRACE, ended).await.expect("it ends within 10 s");
    assert!(status.unwrap().success());

    // The caller is told: a summary, or that the connection ended.
    let _ = called.await.unwrap();
    let bucket = emulator.storage().bucket("data");
    let objects = bucket.list("").unwrap();
    assert_eq!(
        objects.len(),
        OBJECTS,
        "nothing lost, nothing doubled, no lease left"
    );
    for object in objects {
        let (folder, number) = object.name.split_once('/').unwrap();
        let number: usize = number.parse().unwrap();
        // One that was given up, or was answered after the grace, stays; none is blamed for the signal.
        let may_be = if number % 2 == 1 {
            &["incoming"][..]
        } else {
            &["processed", "incoming"]
        };
        assert!(may_be.contains(&folder), "{}", object.name);
        let content = bucket.read(&object.name).unwrap().unwrap();
        assert_eq!(content, format!("content {number}"));
    }
    let processed = bucket.list("processed/").unwrap().len();
    assert!(processed > 0, "what was answered in time is settled");
    emulator.stop().await;
}
