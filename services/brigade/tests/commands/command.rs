//! Runs `brigade` with an environment of its own, against an emulator of its own.

use std::{
    ffi::OsStr,
    path::Path,
    process::{Child, Command},
    sync::Arc,
};

use brigade_emulator::{Emulator, identity::ISSUER};
use brigade_runtime::guard::{GuardSettings, Mode};
use brigade_storage::gcs::{GcsSettings, GcsStore};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(super) use crate::ended::Ended;

pub(super) const DEVELOPER: &str = "developer@brigade-dev.iam.gserviceaccount.com";
pub(super) const POLLER: &str = "poller@brigade-dev.iam.gserviceaccount.com";

/// `brigade` in this directory, which is its home too, with no variable of the caller's but `PATH`.
pub(super) fn brigade<S: AsRef<OsStr>>(
    home: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brigade"));
    command
        .env_clear()
        .env("HOME", home)
        // Each test finds its own `brigade dev` alone.
        .env("XDG_RUNTIME_DIR", home)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(home)
        .args(arguments);
    command
}

/// Runs a command to its end.
pub(super) fn run(mut command: Command) -> Ended {
    command.output().unwrap().into()
}

/// The same, while the caller's runtime serves what the command calls.
pub(super) async fn run_beside(command: Command) -> Ended {
    tokio::task::spawn_blocking(|| run(command)).await.unwrap()
}

/// A process that ends with its test.
pub(super) struct Running(pub(super) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The same text in every run: `directory` is `DIR`, and ports of this machine are `PORT`.
pub(super) fn normalised(text: &str, directory: &Path) -> String {
    let text = text.replace(directory.to_str().unwrap(), "DIR");
    let mut pieces = text.split("127.0.0.1:");
    let mut whole = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        whole.push_str("127.0.0.1:PORT");
        whole.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    whole
}

pub(super) async fn loopback() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// A URL at which nothing listens.
pub(super) async fn closed() -> String {
    loopback().await.1
}

/// With the bucket `data` in memory; the first account is the machine's own.
pub(super) async fn google(accounts: &[&str]) -> Emulator {
    let builder = Emulator::builder().memory().bucket("data");
    let builder =
        accounts.iter().fold(builder, |builder, account| builder.service_account(account));
    builder.start(loopback().await.0).await.unwrap()
}

pub(super) async fn store(emulator: &Emulator) -> Arc<GcsStore> {
    let settings = GcsSettings::emulator(emulator.url().origin().ascii_serialization());
    Arc::new(GcsStore::connect(settings).await.unwrap())
}

/// Serves a worker until the test ends, and lets this account in.
pub(super) fn serve(
    (listener, url): (TcpListener, &str),
    routes: axum::Router,
    emulator: &Emulator,
    caller: &str,
) {
    let guard = guard(emulator, url, caller);
    tokio::spawn(async move {
        let service = brigade::Service::new("brigade.v1.WorkerService", guard);
        let service = service.routes(async { Ok(routes) });
        let served = service.serve(listener, CancellationToken::new());
        served.await.unwrap();
    });
}

/// A guard that lets this account in with the emulator's tokens.
fn guard(emulator: &Emulator, service: &str, caller: &str) -> GuardSettings {
    GuardSettings {
        mode: Mode::Verify,
        audiences: vec![service.to_owned()],
        allowed_callers: vec![caller.to_owned()],
        rights: Vec::new(),
        issuers: vec![ISSUER.to_owned()],
        jwks_url: emulator.url().join("oauth2/v3/certs").unwrap(),
    }
}
