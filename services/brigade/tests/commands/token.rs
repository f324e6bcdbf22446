//! `brigade token` as people run it: each source of ID tokens, and what is said when there is none.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use brigade_emulator::Emulator;
use tempfile::TempDir;
use tokio::net::TcpListener;

const DEVELOPER: &str = "developer@brigade-dev.iam.gserviceaccount.com";
const POLLER: &str = "poller@brigade-dev.iam.gserviceaccount.com";
const AUDIENCE: &str = "https://worker-abc.a.run.app";

async fn google() -> Emulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Emulator::builder()
        .bucket("some-bucket")
        .service_account(DEVELOPER)
        .service_account(POLLER)
        .start(listener)
        .await
        .unwrap()
}

/// A machine that nobody has logged in on: its home is this directory, and so is its path.
fn brigade(home: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brigade"));
    command
        .env_clear()
        .env("HOME", home)
        .env("PATH", home)
        .envs(environment.iter().copied())
        .arg("token")
        .args(arguments);
    command
}

async fn run(mut command: Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

async fn token(
    home: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (Option<i32>, String, String) {
    let mut all = vec!["--audience", AUDIENCE];
    all.extend(arguments);
    run(brigade(home, &all, environment)).await
}

fn authority(google: &Emulator) -> String {
    google.url().authority().to_owned()
}

#[tokio::test]
async fn the_token_alone_stands_on_stdout() {
    let (google, home) = (google().await, TempDir::new().unwrap());
    let host = authority(&google);
    let (code, out, err) = token(home.path(), &[], &[("GCE_METADATA_HOST", &host)]).await;
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out.trim_end().split('.').count(), 3);
    assert_eq!(out.lines().count(), 1);
}

#[tokio::test]
async fn decode_names_source_email_audience_and_expiry_and_keeps_the_token_back() {
    let (google, home) = (google().await, TempDir::new().unwrap());
    let host = authority(&google);
    let (code, out, _) = token(home.path(), &["--decode"], &[("GCE_METADATA_HOST", &host)]).await;
    assert_eq!(code, Some(0));
    for said in [
        format!("source    the metadata server at {host}\n"),
        format!("email     {DEVELOPER}\n"),
        format!("audience  {AUDIENCE}\n"),
        "issuer    https://accounts.google.com\n".to_owned(),
    ] {
        assert!(out.contains(&said), "{out}");
    }
    let expires = out
        .lines()
        .find(|line| line.starts_with("expires"))
        .unwrap();
    assert!(
        expires.contains("(in 1h)") || expires.contains("(in 59m"),
        "{expires}"
    );
    assert!(!out.contains("eyJ"), "{out}");
}

#[tokio::test]
async fn a_key_file_goes_before_the_metadata_server() {
    let (google, home) = (google().await, TempDir::new().unwrap());
    let path = home.path().join("key.json");
    fs::write(
        &path,
        google.identity().service_account_file(POLLER).to_string(),
    )
    .unwrap();
    let host = authority(&google);
    let environment = [
        ("GCE_METADATA_HOST", host.as_str()),
        ("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap()),
    ];
    let (code, out, err) = token(home.path(), &["--decode"], &environment).await;
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains(&format!("email     {POLLER}\n")), "{out}");
    assert!(out.contains("key.json"), "{out}");
}

#[tokio::test]
async fn what_goes_to_this_machine_in_the_clear_goes_through_no_proxy() {
    let (google, home) = (google().await, TempDir::new().unwrap());
    let path = home.path().join("key.json");
    let file = google.identity().service_account_file(POLLER);
    fs::write(&path, file.to_string()).unwrap();
    let host = authority(&google);
    for source in [
        ("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap()),
        ("GCE_METADATA_HOST", host.as_str()),
    ] {
        // Nothing listens there.
        let proxy = "http://127.0.0.1:1";
        let environment = [source, ("HTTP_PROXY", proxy), ("http_proxy", proxy)];
        let (code, _, err) = token(home.path(), &["--decode"], &environment).await;
        assert_eq!(code, Some(0), "{source:?}: {err}");
    }
}

#[tokio::test]
async fn without_any_source_it_says_what_was_tried_and_ends_with_77() {
    let home = TempDir::new().unwrap();
    let (code, out, err) = token(home.path(), &["--decode"], &[]).await;
    assert_eq!((code, out.as_str()), (Some(77), ""));
    for tried in [
        "BRIGADE_IMPERSONATE",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "metadata.google.internal",
    ] {
        assert!(err.contains(tried), "{err}");
    }
}

/// A machine that is busy may take its time; the command itself never needs it.
#[tokio::test]
async fn without_any_source_it_ends_within_3_seconds() {
    let home = TempDir::new().unwrap();
    let mut took = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        let (code, ..) = token(home.path(), &[], &[]).await;
        assert_eq!(code, Some(77));
        took.push(began.elapsed());
        if took.iter().any(|time| *time < Duration::from_secs(3)) {
            return;
        }
    }
    panic!("{took:?}");
}

#[tokio::test]
async fn a_named_metadata_server_that_is_away_ends_with_69() {
    let home = TempDir::new().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = closed.local_addr().unwrap().to_string();
    drop(closed);
    let (code, _, err) = token(home.path(), &[], &[("GCE_METADATA_HOST", &host)]).await;
    assert_eq!(code, Some(69), "{err}");
}

#[tokio::test]
async fn an_empty_audience_is_a_usage_error() {
    let home = TempDir::new().unwrap();
    let (code, ..) = run(brigade(home.path(), &["--audience", ""], &[])).await;
    assert_eq!(code, Some(64));
}

/// `gcloud` for somebody who is logged in, or is not.
fn gcloud(home: &Path, script: &str) {
    let path = home.join("gcloud");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What `gcloud auth print-access-token` prints.
async fn access_token(google: &Emulator) -> String {
    let url = google
        .url()
        .join("computeMetadata/v1/instance/service-accounts/default/token")
        .unwrap();
    let answer = reqwest::Client::new()
        .get(url)
        .header("Metadata-Flavor", "Google")
        .send()
        .await
        .unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

async fn impersonate(
    home: &Path,
    google: &Emulator,
    account: &str,
) -> (Option<i32>, String, String) {
    let url = google.url().to_string();
    let environment = [
        ("BRIGADE_IMPERSONATE", account),
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", &url),
    ];
    token(home, &["--decode"], &environment).await
}

#[tokio::test]
async fn a_laptop_acts_as_a_service_account_by_its_gcloud_login() {
    let (google, home) = (google().await, TempDir::new().unwrap());
    let access = access_token(&google).await;
    gcloud(home.path(), &format!("[ $1 = auth ] && echo {access}"));
    let (code, out, err) = impersonate(home.path(), &google, POLLER).await;
    assert_eq!(code, Some(0), "{err}");
    assert!(
        out.contains(&format!("source    impersonation of {POLLER}")),
        "{out}"
    );
    assert!(out.contains(&format!("email     {POLLER}\n")), "{out}");
    assert!(out.contains(&format!("audience  {AUDIENCE}\n")), "{out}");
}

#[tokio::test]
async fn a_gcloud_that_waits_for_somebody_is_given_up_and_said() {
    let (google, home) = (google().await, TempDir::new().unwrap());
    let pid = home.path().join("pid");
    let hangs = format!("echo $$ > {}; exec /bin/sleep 600", pid.display());
    gcloud(home.path(), &hangs);
    let began = Instant::now();
    let (code, out, err) = impersonate(home.path(), &google, POLLER).await;
    let took = began.elapsed();
    let pid = fs::read_to_string(pid).unwrap();
    Command::new("kill").arg(pid.trim()).status().unwrap();
    assert_eq!((code, out.as_str()), (Some(69), ""), "{err}");
    assert!(err.contains("gcloud auth print-access-token"), "{err}");
    // It sleeps for ten minutes.
    assert!(took < Duration::from_mins(5), "{took:?}");
}

#[tokio::test]
async fn a_key_file_impersonates_too() {
    let (google, home) = (google().await, TempDir::new().unwrap());
    let path = home.path().join("key.json");
    fs::write(
        &path,
        google
            .identity()
            .service_account_file(DEVELOPER)
            .to_string(),
    )
    .unwrap();
    let url = google.url().to_string();
    let environment = [
        ("BRIGADE_IMPERSONATE", POLLER),
        ("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", &url),
        ("GOOGLE_APPLICATION_CREDENTIALS", path.to_str().unwrap()),
    ];
    let (code, out, err) = token(home.path(), &["--decode"], &environment).await;
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains(&format!("email     {POLLER}\n")), "{out}");
}

#[tokio::test]
async fn whoever_is_not_logged_in_is_told_how_to() {
    let (google, home) = (google().await, TempDir::new().unwrap());
    let (code, _, err) = impersonate(home.path(), &google, POLLER).await;
    assert_eq!(code, Some(77));
    assert!(
        err.contains("no gcloud on the path")
            && err.contains("gcloud auth application-default login"),
        "{err}"
    );

    gcloud(home.path(), "exit 1");
    let (code, _, err) = impersonate(home.path(), &google, POLLER).await;
    assert_eq!(code, Some(77));
    assert!(err.contains("gcloud has none either"), "{err}");
}

#[tokio::test]
async fn a_login_that_is_over_and_an_account_that_is_not_there_are_told_apart() {
    let (google, home) = (google().await, TempDir::new().unwrap());
    gcloud(home.path(), "[ $1 = auth ] && echo ya29.over");
    let (code, _, err) = impersonate(home.path(), &google, POLLER).await;
    assert_eq!(code, Some(77));
    assert!(
        err.contains("HTTP 401 (your login is not accepted"),
        "{err}"
    );
    assert!(!err.contains("ya29"), "{err}");

    let access = access_token(&google).await;
    gcloud(home.path(), &format!("[ $1 = auth ] && echo {access}"));
    let (code, _, err) =
        impersonate(home.path(), &google, "nobody@p.iam.gserviceaccount.com").await;
    assert_eq!(code, Some(77));
    assert!(
        err.contains("HTTP 404 (there is no such service account)"),
        "{err}"
    );
}

#[tokio::test]
async fn a_broken_application_default_login_does_not_fall_through_to_gcloud() {
    let (google, home) = (google().await, TempDir::new().unwrap());
    let access = access_token(&google).await;
    gcloud(home.path(), &format!("[ $1 = auth ] && echo {access}"));
    let directory = home.path().join(".config/gcloud");
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("application_default_credentials.json");
    fs::write(path, r#"{"type": "external_account", "secret": "SECRET"}"#).unwrap();
    let (code, _, err) = impersonate(home.path(), &google, POLLER).await;
    assert_eq!(code, Some(77));
    assert!(
        err.contains("were not accepted") && !err.contains("SECRET"),
        "{err}"
    );
}

#[tokio::test]
async fn what_is_no_account_is_not_asked_for() {
    let (google, home) = (google().await, TempDir::new().unwrap());
    let (code, _, err) = impersonate(home.path(), &google, "../x@p?").await;
    assert_eq!(code, Some(77));
    assert!(
        err.contains("NAME@PROJECT.iam.gserviceaccount.com"),
        "{err}"
    );
}
