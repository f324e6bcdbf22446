//! The emulator, within the test, and the services that use it.

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use brigade_emulator::Emulator;
use tokio::net::TcpListener;

use crate::process::{PATIENCE, Process};

pub(crate) const BUCKET: &str = "data";
pub(crate) const OTHER_BUCKET: &str = "elsewhere";
pub(crate) const SERVICES: &str = "services@test.iam.gserviceaccount.com";
pub(crate) const CALLER: &str = "caller@test.iam.gserviceaccount.com";
pub(crate) const POLLER_AUDIENCE: &str = "https://poller.test";
pub(crate) const WORKER_AUDIENCE: &str = "https://worker.test";
const LEASE: &str = ".brigade/in/lease";

/// Refuses what begins with `bad`, and accepts the rest.
pub(crate) const PICKY: &str =
    r#"sh -c 'read line < "$1"; case $line in bad*) echo refused >&2; exit 3;; esac' sh {}"#;

/// Storage and identity.
pub(crate) struct Google {
    pub(crate) emulator: Emulator,
}

/// What `POST /poll` answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: serde_json::Value,
}

impl Google {
    pub(crate) async fn start() -> Self {
        let emulator = Emulator::builder()
            .memory()
            .bucket(BUCKET)
            .bucket(OTHER_BUCKET)
            .service_account(SERVICES)
            .service_account(CALLER)
            .start(TcpListener::bind("127.0.0.1:0").await.unwrap())
            .await
            .unwrap();
        Self { emulator }
    }

    async fn serve(&self, command: &str, more: &[(&str, &str)]) -> (Process, SocketAddr) {
        serve(command, self.emulator.env(), more).await
    }

    /// A worker that runs this program for each file.
    pub(crate) async fn worker(&self, program: &str) -> (Process, SocketAddr) {
        self.worker_at(program, 0).await
    }

    /// The same on this port.
    pub(crate) async fn worker_at(&self, program: &str, port: u16) -> (Process, SocketAddr) {
        self.worker_with(program, &[("PORT", &port.to_string())]).await
    }

    /// The same with this temporary directory.
    pub(crate) async fn worker_in(&self, program: &str, temp: &Path) -> (Process, SocketAddr) {
        self.worker_with(program, &[("TMPDIR", temp.to_str().unwrap())]).await
    }

    /// The same with these variables.
    pub(crate) async fn worker_with(
        &self,
        program: &str,
        more: &[(&str, &str)],
    ) -> (Process, SocketAddr) {
        let variables = [
            ("BRIGADE_EXEC", program),
            ("BRIGADE_AUDIENCE", WORKER_AUDIENCE),
            ("BRIGADE_ALLOWED_CALLERS", SERVICES),
        ];
        let variables: Vec<_> = variables.iter().chain(more).copied().collect();
        self.serve("worker", &variables).await
    }

    /// A poller of `gs://data/in/` whose accepted files go to this place.
    pub(crate) async fn poller(
        &self,
        worker: SocketAddr,
        processed: &str,
    ) -> (Process, SocketAddr) {
        let few = [("BRIGADE_PROCESSED", processed), ("BRIGADE_CONCURRENCY", "4")];
        self.poller_with(worker, &few).await
    }

    /// A poller of `gs://data/in/` with these settings beside the defaults.
    pub(crate) async fn poller_with(
        &self,
        worker: SocketAddr,
        more: &[(&str, &str)],
    ) -> (Process, SocketAddr) {
        let url = format!("http://{worker}");
        let variables = [
            ("BRIGADE_INBOX", "gs://data/in/"),
            ("BRIGADE_FAILED", "gs://data/failed/"),
            ("WORKER_URL", &url),
            ("WORKER_AUDIENCE", WORKER_AUDIENCE),
            ("BRIGADE_AUDIENCE", POLLER_AUDIENCE),
            ("BRIGADE_ALLOWED_CALLERS", CALLER),
        ];
        let variables: Vec<_> = variables.iter().chain(more).copied().collect();
        self.serve("poller", &variables).await
    }

    /// `POST /poll`, as a scheduler does.
    pub(crate) async fn poll(&self, poller: SocketAddr) -> reqwest::Result<Answer> {
        let token = self.emulator.identity().mint(CALLER, POLLER_AUDIENCE);
        post(poller, &token).await
    }

    /// As an operator does who knows that its holder is dead, and does not want to wait for its end.
    pub(crate) fn remove_lease(&self) {
        // There may be none.
        let _ = self.emulator.storage().remove(LEASE);
    }

    pub(crate) fn lease(&self) -> bool {
        self.emulator.storage().get(LEASE).unwrap().is_some()
    }

    pub(crate) fn names(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let objects = self.emulator.storage().bucket(bucket).list(prefix).unwrap();
        objects.into_iter().map(|object| object.name).collect()
    }

    /// Polls until the inbox is empty, and does this before each poll.
    pub(crate) async fn drain(&self, poller: SocketAddr, process: &Process, before: impl Fn()) {
        let mut said = Vec::new();
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            before();
            said.push(self.poll(poller).await.unwrap());
            if self.names(BUCKET, "in/").is_empty() {
                return;
            }
            // A file whose worker wants it later is not due yet.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("it never drains: {said:?}\n{}", process.log());
    }

    /// Waits until so many calls have come over the wire.
    pub(crate) async fn called(&self, calls: u64) {
        while self.emulator.storage().calls().total() < calls {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
}

/// Starts a service with these variables, on a loopback address and any port.
pub(crate) async fn serve(
    command: &str,
    google: Vec<(String, String)>,
    more: &[(&str, &str)],
) -> (Process, SocketAddr) {
    let own = [("BRIGADE_BIND", "127.0.0.1"), ("PORT", "0")];
    let own = own.iter().chain(more);
    let own = own.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let variables: Vec<_> = google.into_iter().chain(own).collect();
    Process::serve(&[command], &variables).await
}

/// `POST /poll` with this token.
pub(crate) async fn post(poller: SocketAddr, token: &str) -> reqwest::Result<Answer> {
    let request = reqwest::Client::new().post(format!("http://{poller}/poll")).bearer_auth(token);
    let answer = request.send().await?;
    Ok(Answer { status: answer.status().as_u16(), body: answer.json().await? })
}

impl Answer {
    pub(crate) fn reason(&self) -> &str {
        self.body["reason"].as_str().unwrap_or_default()
    }
}
