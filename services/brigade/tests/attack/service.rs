//! The worker as a process of its own, and what can be seen of it from outside.

use std::{
    env,
    ffi::OsString,
    fs, io,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use brigade_emulator::Emulator;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::probes::Probe;

pub(crate) const CALLER: &str = "poller@test.iam.gserviceaccount.com";
const AUDIENCE: &str = "https://worker.example";

/// Longer than anything here takes, so that what hangs fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What takes longer fails.
pub(crate) async fn within<F: Future>(patience: F) -> F::Output {
    timeout(PATIENCE, patience).await.expect("it takes too long")
}

/// The binary that BRIGADE names, or the one of this build.
fn binary() -> OsString {
    env::var_os("BRIGADE").unwrap_or_else(|| env!("CARGO_BIN_EXE_brigade").into())
}

/// A worker that runs until this is dropped.
pub(crate) struct Service {
    process: Child,
    pub(crate) address: SocketAddr,
    google: Emulator,
    _home: TempDir,
}

// === impl Service ===

impl Service {
    /// With this in its environment too.
    pub(crate) async fn start(more: &[(&str, &str)]) -> Self {
        Self::start_as(Command::new(binary()), more).await
    }

    /// The same, with at most this many file descriptors.
    pub(crate) async fn start_with_descriptors(most: usize, more: &[(&str, &str)]) -> Self {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\"")]).arg(binary());
        Self::start_as(command, more).await
    }

    /// The worker that an attack is for.
    pub(crate) async fn start_for(probe: Probe, more: &[(&str, &str)]) -> Self {
        match probe.descriptors() {
            Some(most) => Self::start_with_descriptors(most, more).await,
            None => Self::start(more).await,
        }
    }

    async fn start_as(mut command: Command, more: &[(&str, &str)]) -> Self {
        let google = Emulator::builder()
            .bucket("data")
            .service_account(CALLER)
            .start(TcpListener::bind("127.0.0.1:0").await.unwrap())
            .await
            .unwrap();
        let home = TempDir::new().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        command
            .env_clear()
            .current_dir(&home)
            .envs(google.env())
            .env("BRIGADE_BIND", "127.0.0.1")
            .env("PORT", address.port().to_string())
            .env("BRIGADE_AUDIENCE", AUDIENCE)
            .env("BRIGADE_ALLOWED_CALLERS", CALLER)
            .env("RUST_LOG", "error")
            .envs(more.iter().copied())
            .arg("worker")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let service = Self { process: command.spawn().unwrap(), address, google, _home: home };
        timeout(PATIENCE, async {
            while !matches!(service.health().await, Ok(true)) {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("the worker answers");
        service
    }

    /// A token that the worker accepts.
    pub(crate) fn token(&self) -> String {
        self.google.identity().mint(CALLER, AUDIENCE)
    }

    /// Whether a new connection gets a healthy answer.
    pub(crate) async fn health(&self) -> io::Result<bool> {
        health(self.address).await
    }

    /// How many file descriptors the process has.
    #[allow(dead_code, reason = "the tests use it, the bench does not")]
    pub(crate) fn descriptors(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.process.id()));
        open.unwrap().count()
    }

    /// The most memory that the process has had in RAM, in bytes.
    #[allow(dead_code, reason = "the tests ask for it, the bench does not")]
    pub(crate) fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// The memory that it has in RAM now, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The memory once it does not change any more: the ends of many connections take a moment.
    pub(crate) async fn rested(&self) -> u64 {
        let (mut memory, mut same) = (self.memory(), 0);
        for _ in 0..300 {
            sleep(Duration::from_millis(100)).await;
            let now = self.memory();
            same = if now == memory { same + 1 } else { 0 };
            memory = now;
            if same == 5 {
                break;
            }
        }
        memory
    }

    fn status(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
        kibibytes.parse::<u64>().unwrap() * 1024
    }

    /// Asks for its health, again and again, until it is stopped.
    pub(crate) fn watched(&self) -> Watch {
        let stop = CancellationToken::new();
        let (address, stopped) = (self.address, stop.clone());
        let watching = tokio::spawn(async move {
            let mut seen = Seen::default();
            while !stopped.is_cancelled() {
                let began = Instant::now();
                if !matches!(health(address).await, Ok(true)) {
                    seen.failed += 1;
                }
                seen.times.push(began.elapsed());
                sleep(Duration::from_millis(5)).await;
            }
            seen
        });
        Watch { stop, watching }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A client that asks for the health all the time.
pub(crate) struct Watch {
    stop: CancellationToken,
    watching: JoinHandle<Seen>,
}

/// What it was answered, and how soon.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) failed: usize,
    pub(crate) times: Vec<Duration>,
}

impl Watch {
    pub(crate) async fn ended(self) -> Seen {
        self.stop.cancel();
        self.watching.await.unwrap()
    }
}

async fn health(address: SocketAddr) -> io::Result<bool> {
    let answer = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer.starts_with("HTTP/1.1 200 OK"))
    };
    timeout(PATIENCE, answer).await.unwrap_or(Ok(false))
}
