//! `brigade doctor` as people run it, against the stand-in: what it says when all is well, and of each wire that is cut.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{process::Command, sync::Arc};

use brigade_emulator::{Emulator, identity::ISSUER};
use brigade_runtime::guard::{GuardSettings, Mode};
use brigade_storage::gcs::{Credentials, GcsSettings, GcsStore};
use brigade_worker::{sample::SleepStudy, settings::WorkerSettings};
use serde_json::Value;
use tokio::net::TcpListener;

const POLLER: &str = "poller@brigade-dev.iam.gserviceaccount.com";

/// The stand-in, and a worker that lets this account in.
struct World {
    emulator: Emulator,
    worker: String,
}

impl World {
    async fn letting_in(caller: &str) -> Self {
        let emulator = Emulator::builder()
            .memory()
            .bucket("data")
            .service_account(POLLER)
            .start(loopback().await)
            .await
            .unwrap();
        let listener = loopback().await;
        let worker = format!("http://{}", listener.local_addr().unwrap());
        let endpoint = Some(emulator.url().origin().ascii_serialization());
        let store = GcsStore::connect(GcsSettings {
            grpc_endpoint: endpoint.clone(),
            json_endpoint: endpoint,
            credentials: Credentials::Anonymous,
        });
        let store = Arc::new(store.await.unwrap());
        let routes = brigade_worker::routes(SleepStudy, store, &WorkerSettings::default());
        let keys = emulator.env().into_iter();
        let keys = keys.collect::<std::collections::HashMap<_, _>>();
        let guard = GuardSettings {
            mode: Mode::Verify,
            audiences: vec![worker.clone()],
            allowed_callers: vec![caller.to_owned()],
            issuers: vec![ISSUER.to_owned()],
            jwks_url: keys["BRIGADE_JWKS_URL"].parse().unwrap(),
        };
        tokio::spawn(async move {
            let app = brigade::assemble(routes, "brigade.v1.WorkerService", guard).await;
            axum::serve(listener, app.unwrap()).await.unwrap();
        });
        Self { emulator, worker }
    }

    /// Exit code, and what was said of each check.
    async fn doctor(&self, settings: &[(&str, &str)]) -> (Option<i32>, Vec<Value>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_brigade"));
        command
            .env_clear()
            .envs(self.emulator.env())
            .env("BRIGADE_INBOX", "gs://data/incoming/")
            .env("WORKER_URL", &self.worker)
            .envs(settings.iter().copied())
            .arg("doctor");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let lines = said.lines().map(|line| serde_json::from_str(line).unwrap());
        (output.status.code(), lines.collect())
    }
}

async fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn failed(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .filter(|line| line["ok"] == false)
        .map(|line| line["check"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wire_is_checked_and_nothing_is_left_behind() {
    let world = World::letting_in(POLLER).await;
    let (code, lines) = world.doctor(&[]).await;
    assert_eq!(code, Some(0), "{lines:?}");
    let checks: Vec<_> = lines.iter().map(|line| &line["check"]).collect();
    let all = [
        "settings",
        "credentials",
        "token",
        "client",
        "worker",
        "storage",
        "inbox",
        "lease",
        "processed",
        "failed",
    ];
    assert_eq!(checks, all);
    assert!(lines[2]["said"].as_str().unwrap().starts_with(POLLER));
    let bucket = world.emulator.storage().bucket("data");
    assert_eq!(bucket.list("").unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lets_somebody_else_in_is_the_wire_to_mend() {
    let world = World::letting_in("somebody@else.iam.gserviceaccount.com").await;
    let (code, lines) = world.doctor(&[]).await;
    assert_eq!(code, Some(77), "{lines:?}");
    assert_eq!(failed(&lines), ["worker"]);
    let hint = lines[4]["fix"].as_str().unwrap();
    assert!(hint.contains("BRIGADE_ALLOWED_CALLERS"), "{hint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_away_is_told_from_one_that_refuses() {
    let world = World::letting_in(POLLER).await;
    let nobody = loopback().await.local_addr().unwrap();
    let nobody = format!("http://{nobody}");
    let (code, lines) = world.doctor(&[("WORKER_URL", &nobody)]).await;
    assert_eq!(code, Some(69), "{lines:?}");
    assert_eq!(failed(&lines), ["worker"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_is_found_by_each_wire_to_it() {
    let world = World::letting_in(POLLER).await;
    let (code, lines) = world.doctor(&[("BRIGADE_INBOX", "gs://other/in/")]).await;
    assert_eq!(code, Some(64), "{lines:?}");
    assert_eq!(failed(&lines), ["inbox", "lease", "processed", "failed"]);
    assert!(
        lines
            .iter()
            .any(|line| line.to_string().contains("there is no such bucket"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_settings_are_all_said_and_nothing_else_is_tried() {
    let world = World::letting_in(POLLER).await;
    let wrong = [("BRIGADE_INBOX", "incoming"), ("WORKER_URL", "")];
    let (code, lines) = world.doctor(&wrong).await;
    assert_eq!(code, Some(64));
    assert_eq!(failed(&lines), ["settings"]);
    assert_eq!(lines.len(), 1);
    let said = lines[0]["said"].as_str().unwrap();
    assert!(
        said.contains("BRIGADE_INBOX") && said.contains("WORKER_URL"),
        "{said}"
    );
}
