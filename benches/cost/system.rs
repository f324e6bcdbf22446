//! Storage in this process, and workers in theirs.

use std::{
    env,
    ffi::OsString,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use brigade_emulator::Emulator;
use tempfile::TempDir;
use tokio::net::TcpListener;
use url::Url;

use crate::{process::Process, roles};

pub(crate) const BUCKET: &str = "data";
pub(crate) const ACCOUNT: &str = "services@bench.iam.gserviceaccount.com";

/// What the article's worker can read.
const CONTENT: &str = "day,reaction_ms\n0,249.5\n1,258.7\n2,250.8\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

pub(crate) struct System {
    pub(crate) emulator: Emulator,
    home: TempDir,
}

/// A worker whose work is to wait.
pub(crate) struct Worker {
    process: Option<Process>,
    url: Url,
}

// === impl Protocol ===

impl Protocol {
    pub(crate) const ALL: [Self; 2] = [Self::Grpc, Self::Http];
    pub(crate) const NAMES: [&str; 2] = ["grpc", "http"];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }
}

// === impl System ===

impl System {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let builder = Emulator::builder().memory().bucket(BUCKET).service_account(ACCOUNT);
        let emulator = builder.start(listener).await.unwrap();
        Self { emulator, home: TempDir::new().unwrap() }
    }

    /// A program with nothing in its environment but where storage and tokens come from.
    pub(crate) fn command(&self, program: impl Into<OsString>) -> Command {
        let mut command = Command::new(program.into());
        command
            .env_clear()
            .envs(self.emulator.env())
            .current_dir(&self.home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// This program in another role, whose first line is returned.
    pub(crate) fn role(&self, arguments: &[&str]) -> (Process, String) {
        let mut command = self.command(env::current_exe().unwrap());
        command.arg(roles::FLAG).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = Process::spawn(&mut command);
        let (_stdin, stdout) = process.pipes();
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        (process, line.trim().to_owned())
    }

    /// A worker that takes so long for each object.
    pub(crate) fn worker(&self, work: Duration) -> Worker {
        let (process, url) = self.role(&["worker", &work.as_millis().to_string()]);
        Worker { process: Some(process), url: url.parse().unwrap() }
    }

    /// Lays so many objects into the inbox, and nothing else is there.
    pub(crate) fn lay(&self, objects: usize) {
        let bucket = self.emulator.storage();
        for object in bucket.list("").unwrap() {
            bucket.remove(&object.name).unwrap();
        }
        for n in 0..objects {
            bucket.put(&object_name(n), CONTENT).unwrap();
        }
    }
}

pub(crate) fn object_name(n: usize) -> String {
    format!("incoming/2026/11/24/device-{n:08}.csv")
}

// === impl Worker ===

impl Worker {
    /// One that takes its POST at this address.
    pub(crate) fn at(url: Url) -> Self {
        Self { process: None, url }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.url.socket_addrs(|| None).unwrap()[0]
    }

    /// What a client of this protocol calls.
    pub(crate) fn url(&self, protocol: Protocol) -> Url {
        match protocol {
            Protocol::Grpc => self.url.clone(),
            Protocol::Http if self.process.is_none() => self.url.clone(),
            Protocol::Http => self.url.join("process").unwrap(),
        }
    }
}
