//! What is compared: a poller, or the bare loop. Each is a process that drains the inbox when it is told to.

use std::{
    env,
    ffi::OsString,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener},
    process::{ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use brigade_emulator::Emulator;
use reqwest::Client;
use tokio::{runtime::Runtime, time::sleep};

use crate::{
    process::Process,
    roles,
    system::{ACCOUNT, BUCKET, Protocol, System, Worker},
};

/// The audience of the poller.
pub(crate) const AUDIENCE: &str = "https://poller.example";

/// Drains until everything has made its connections.
const WARM_UP: usize = 2;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A binary, and its environment.
    Poller(OsString, Vec<(String, String)>),
    Bare,
}

pub(crate) struct Subject {
    pub(crate) process: Process,
    end: End,
}

enum End {
    Poller(Poller),
    Bare(ChildStdin, BufReader<ChildStdout>),
}

/// How the poller is called.
#[derive(Clone)]
pub(crate) struct Poller {
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) client: Client,
}

/// One drain.
pub(crate) struct Drain {
    pub(crate) took: Duration,
    pub(crate) cpu: Duration,
}

// === impl Kind ===

impl Kind {
    /// The poller of this build.
    pub(crate) fn built() -> Self {
        let binary = env::var_os("BRIGADE").unwrap_or_else(|| env!("CARGO_BIN_EXE_brigade").into());
        Self::Poller(binary, Vec::new())
    }

    /// The same with these variables, which a bare loop does not read.
    pub(crate) fn with(mut self, more: &[(&str, &str)]) -> Self {
        if let Self::Poller(_, env) = &mut self {
            env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        }
        self
    }

    /// This build's poller, the bare loop, and an older poller if the environment names one.
    pub(crate) fn all() -> Vec<Self> {
        let baseline = env::var_os("BASELINE").map(|binary| Self::Poller(binary, Vec::new()));
        [Self::built(), Self::Bare].into_iter().chain(baseline).collect()
    }
}

// === impl Subject ===

impl Subject {
    pub(crate) fn start(
        kind: &Kind,
        system: &System,
        runtime: &Runtime,
        worker: &Worker,
        protocol: Protocol,
        in_flight: usize,
    ) -> Self {
        let mut subject = match kind {
            Kind::Poller(binary, env) => {
                let mut command = system.command(binary);
                command.envs(env.iter().cloned());
                poller(command, system, runtime, worker, protocol, in_flight)
            }
            Kind::Bare => bare(system, worker, protocol, in_flight),
        };
        for _ in 0..WARM_UP {
            subject.drain(system, runtime, (8 * in_flight).min(1_000));
        }
        subject
    }

    /// Lays so many objects, and has them drained.
    pub(crate) fn drain(&mut self, system: &System, runtime: &Runtime, objects: usize) -> Drain {
        system.lay(objects);
        let (cpu, began) = (self.process.cpu(), Instant::now());
        let moved = match &mut self.end {
            End::Poller(poller) => runtime.block_on(poller.poll()),
            End::Bare(stdin, stdout) => {
                stdin.write_all(b"\n").unwrap();
                let mut line = String::new();
                stdout.read_line(&mut line).unwrap();
                line.trim().parse().unwrap()
            }
        };
        let (took, cpu) = (began.elapsed(), self.process.cpu().checked_sub(cpu).unwrap());
        assert_eq!(moved, objects);
        Drain { took, cpu }
    }

    /// The poller, if it is one.
    pub(crate) fn poller(&self) -> &Poller {
        match &self.end {
            End::Poller(poller) => poller,
            End::Bare(..) => panic!("the bare loop has no address"),
        }
    }
}

fn poller(
    mut command: Command,
    system: &System,
    runtime: &Runtime,
    worker: &Worker,
    protocol: Protocol,
    in_flight: usize,
) -> Subject {
    let address = free_address();
    command
        .env("BRIGADE_BIND", "127.0.0.1")
        .env("PORT", address.port().to_string())
        .env("BRIGADE_AUDIENCE", AUDIENCE)
        .env("BRIGADE_ALLOWED_CALLERS", ACCOUNT)
        .arg("poller")
        .arg(format!("--inbox=gs://{BUCKET}/incoming/"))
        .arg(format!("--worker-url={}", worker.url(protocol)))
        .arg(format!("--worker-protocol={}", protocol.name()))
        .arg(format!("--concurrency={in_flight}"));
    if env::var_os("BENCH_LOGS").is_some() {
        command.stderr(Stdio::inherit());
    }
    let process = Process::spawn(&mut command);
    let token = token(&system.emulator);
    let poller = Poller { url: format!("http://{address}"), token, client: Client::new() };
    runtime.block_on(poller.ready());
    Subject { process, end: End::Poller(poller) }
}

fn bare(system: &System, worker: &Worker, protocol: Protocol, in_flight: usize) -> Subject {
    let mut command = system.command(env::current_exe().unwrap());
    command
        .arg(roles::FLAG)
        .args(["bare", protocol.name(), worker.url(protocol).as_str(), &in_flight.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let mut process = Process::spawn(&mut command);
    let (stdin, stdout) = process.pipes();
    let mut stdout = BufReader::new(stdout);
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "ready");
    Subject { process, end: End::Bare(stdin, stdout) }
}

/// One that nothing listens on.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn token(emulator: &Emulator) -> String {
    emulator.identity().mint(ACCOUNT, AUDIENCE)
}

// === impl Poller ===

impl Poller {
    async fn ready(&self) {
        while !self
            .client
            .get(format!("{}/health", self.url))
            .send()
            .await
            .is_ok_and(|it| it.status().is_success())
        {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// One poll, as Cloud Scheduler asks for it; how many objects it processed.
    async fn poll(&self) -> usize {
        let answer = self.post("poll", "{}").await;
        let body: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(body["reason"], "END_REASON_COMPLETE", "{body}");
        body["counts"]["processed"].as_str().unwrap_or("0").parse().unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> reqwest::Response {
        let request = self.client.post(format!("{}/{path}", self.url)).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").body(body.to_owned());
        request.send().await.unwrap()
    }
}
