//! The examples of the client's documentation, in a process whose environment says who it is.

use std::process::{Command, Output};

use crate::harness::{BUCKET, CALLER, POLLER, System, accepting};

#[allow(dead_code, unreachable_pub, reason = "they are programs")]
#[path = "../../clients/rust/examples"]
mod examples {
    pub(super) mod poll;
    pub(super) mod process;
}

/// Runs one of the halves below, as this account.
async fn half(name: &str, account: &str, system: &System, arguments: &[(&str, String)]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key.json");
    let file = system.emulator.identity().service_account_file(account);
    std::fs::write(&key, file.to_string()).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([&format!("clients::{name}"), "--exact", "--ignored", "--nocapture"])
        .env_remove("BRIGADE_IMPERSONATE")
        .env("GOOGLE_APPLICATION_CREDENTIALS", &key);
    for (name, value) in arguments {
        command.env(name, value);
    }
    let output = tokio::task::spawn_blocking(move || command.output());
    output.await.unwrap().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

fn given(name: &str) -> String {
    std::env::var(name).unwrap()
}

#[tokio::test]
#[ignore = "half of a test below, in a process of its own"]
async fn polls() {
    examples::poll::poll(&given("POLLER")).await.unwrap();
}

#[tokio::test]
#[ignore = "half of a test below, in a process of its own"]
async fn processes() {
    let object = brigade_proto::v1::Object {
        bucket: BUCKET.into(),
        name: given("NAME"),
        generation: given("GENERATION").parse().unwrap(),
        ..Default::default()
    };
    examples::process::process(&given("WORKER"), object).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_poll_example_polls_as_the_environment_says() {
    let system = System::with_processor(accepting()).await;
    system.upload("a", "x");
    let poller = [("POLLER", system.poller.to_string())];
    let output = half("polls", CALLER, &system, &poller).await;
    assert!(output.status.success(), "{}", text(&output));
    let text = text(&output);
    assert!(text.contains("incoming/a: Processed"), "{text}");
    assert_eq!(system.names(), ["processed/a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_example_asks_as_the_environment_says() {
    let system = System::with_processor(accepting()).await;
    let generation = system.upload("a", "x");
    let object = [
        ("WORKER", system.worker.to_string()),
        ("NAME", "incoming/a".to_owned()),
        ("GENERATION", generation.to_string()),
    ];
    let output = half("processes", POLLER, &system, &object).await;
    assert!(output.status.success(), "{}", text(&output));
    // Another account is refused, in words.
    let output = half("processes", CALLER, &system, &object).await;
    assert!(!output.status.success());
    let text = text(&output);
    assert!(text.contains("PermissionDenied"), "{text}");
}
