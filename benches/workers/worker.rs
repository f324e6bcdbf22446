//! The kinds of workers.

use std::{process::Child, time::Duration};

use brigade_runtime::settings::{Problems, from_flags};
use brigade_storage::Location;
use brigade_worker::settings::{ExecArgs, WorkerSettings};
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    python::Python,
    system::{System, bound},
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sample,
    Exec,
    Persistent,
    Flask,
    Grpc,
}

/// One that runs.
pub(crate) struct Worker {
    pub(crate) url: Url,
    pub(crate) protocol: &'static str,
    running: Running,
}

enum Running {
    Ours(CancellationToken, JoinHandle<()>),
    Theirs(Server),
}

struct Server(Child);

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Sample, Self::Exec, Self::Persistent, Self::Flask, Self::Grpc];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sample => "sample",
            Self::Exec => "exec",
            Self::Persistent => "persistent",
            Self::Flask => "flask",
            Self::Grpc => "grpc",
        }
    }

    pub(crate) async fn start(self, system: &System, python: &Python) -> Worker {
        let exec = format!("--exec={}", python.script());
        match self {
            Self::Sample => ours(system, &[]).await,
            Self::Exec => ours(system, &[&exec]).await,
            Self::Persistent => ours(system, &[&exec, "--persistent"]).await,
            Self::Flask => {
                let (address, url) = free().await;
                let arguments =
                    ["--workers=2", "--threads=2", "--log-level=error", "flask_worker:app"];
                let arguments = arguments.iter().map(|word| (*word).to_owned());
                let arguments: Vec<_> = arguments.chain([format!("--bind={address}")]).collect();
                let server = Server(python.serve("gunicorn", &arguments, &system.storage()));
                theirs(server, url, "http").await
            }
            Self::Grpc => {
                let (_, url) = free().await;
                let port = url.port().unwrap().to_string();
                let arguments = ["grpc_worker.py".to_owned(), port];
                let server = Server(python.serve("python", &arguments, &system.storage()));
                theirs(server, url, "grpc").await
            }
        }
    }
}

impl Worker {
    /// Waits until it has ended, with its processes.
    pub(crate) async fn end(self) {
        match self.running {
            Running::Ours(stop, serving) => {
                stop.cancel();
                serving.await.unwrap();
            }
            Running::Theirs(server) => drop(server),
        }
    }
}

async fn ours(system: &System, flags: &[&str]) -> Worker {
    let (listener, url) = bound().await;
    let args: ExecArgs = from_flags(flags).unwrap();
    let mut problems = Problems::default();
    let exec = args.resolve(&mut problems);
    let exec = problems.into_settings(exec).unwrap();
    let output = Some(Location::new("data", "features/"));
    let settings = WorkerSettings { exec, output, ..WorkerSettings::default() };
    let (guard, store) = (system.guard(&url), system.store.clone());
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let serving = tokio::spawn(async move {
        brigade::worker::serve(listener, &settings, guard, store, stopped).await.unwrap();
    });
    Worker { url, protocol: "grpc", running: Running::Ours(stop, serving) }
}

async fn theirs(server: Server, url: Url, protocol: &'static str) -> Worker {
    let address = url.socket_addrs(|| None).unwrap()[0];
    while TcpStream::connect(address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Worker { url, protocol, running: Running::Theirs(server) }
}

/// An address that nothing listens on.
async fn free() -> (String, Url) {
    let (listener, url) = bound().await;
    (listener.local_addr().unwrap().to_string(), url)
}

impl Drop for Server {
    fn drop(&mut self) {
        // gunicorn ends its workers when it is asked, and not when it is killed.
        let id = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        let _ = self.0.wait();
    }
}
