//! `brigade token`: each source of ID tokens, and what is reported when there is none.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use brigade_emulator::Emulator;
use tempfile::TempDir;

use super::command::{DEVELOPER, Ended, POLLER, brigade, closed, google, normalised, run_beside};

const AUDIENCE: &str = "https://worker-abc.a.run.app";

/// On a machine without a login: its home is this directory, and so is its path.
async fn token(home: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = brigade(home, ["token", "--audience", AUDIENCE]);
    command.env("PATH", home).envs(environment.iter().copied()).args(arguments);
    run_beside(command).await
}

async fn emulator() -> Emulator {
    google(&[DEVELOPER, POLLER]).await
}

/// A service account's key file in this directory.
fn key_file(home: &Path, google: &Emulator, account: &str) -> String {
    let path = home.join("key.json");
    let file = google.identity().service_account_file(account);
    fs::write(&path, file.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// `gcloud`, with a login or without.
fn gcloud(home: &Path, script: &str) {
    let path = home.join("gcloud");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What `gcloud auth print-access-token` prints.
async fn access_token(google: &Emulator) -> String {
    let url =
        google.url().join("computeMetadata/v1/instance/service-accounts/default/token").unwrap();
    let answer =
        reqwest::Client::new().get(url).header("Metadata-Flavor", "Google").send().await.unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_token_alone_stands_on_stdout() {
    let (google, home) = (emulator().await, TempDir::new().unwrap());
    let host = google.url().authority().to_owned();
    let ended = token(home.path(), &[], &[("GCE_METADATA_HOST", &host)]).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_eq!(ended.out.trim_end().split('.').count(), 3);
    assert_eq!(ended.out.lines().count(), 1);
}

/// A key file goes before the metadata server, and a named account before both; with `--decode` the token stays secret.
#[tokio::test]
async fn decode_names_the_source_and_the_claims_of_each_kind_of_token() {
    let (google, home) = (emulator().await, TempDir::new().unwrap());
    let (host, url) = (google.url().authority().to_owned(), google.url().to_string());
    let key = key_file(home.path(), &google, POLLER);
    let access = access_token(&google).await;
    gcloud(home.path(), &format!("[ $1 = auth ] && echo {access}"));
    let metadata = ("GCE_METADATA_HOST", host.as_str());
    let key = ("GOOGLE_APPLICATION_CREDENTIALS", key.as_str());
    let poller = ("BRIGADE_IMPERSONATE", POLLER);
    let iam = ("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", url.as_str());
    // Nothing listens there, and what goes to this machine in the clear goes through no proxy.
    let proxies = [("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "http://127.0.0.1:1")];
    let mut table = String::new();
    for (case, source, environment) in [
        ("metadata server", host.as_str(), &[metadata][..]),
        ("key file before the metadata server", "key.json", &[metadata, key]),
        ("gcloud's login", POLLER, &[poller, iam]),
        ("key file of another account", POLLER, &[poller, iam, key]),
    ] {
        let environment = [environment, &proxies].concat();
        let ended = token(home.path(), &["--decode"], &environment).await;
        assert_eq!(ended.code, Some(0), "{case}: {}", ended.err);
        assert!(!ended.out.contains("eyJ"), "{}", ended.out);
        writeln!(table, "{case}").unwrap();
        for line in ended.out.lines() {
            let (name, value) = line.split_once(' ').unwrap();
            match name {
                "expires" => {
                    assert!(line.contains("(in 1h)") || line.contains("(in 59m"), "{line}");
                }
                "source" => assert!(value.contains(source), "{line}"),
                "subject" => assert!(!value.trim().is_empty(), "{line}"),
                _ => writeln!(table, "  {line}").unwrap(),
            }
        }
    }
    insta::assert_snapshot!(normalised(&table, home.path()));
}

/// The limit is the promise: the command needs 3 s, and a metadata server that is named would have 30 s.
#[tokio::test]
async fn without_any_source_it_ends_within_30_seconds() {
    let home = TempDir::new().unwrap();
    let began = Instant::now();
    let ended = token(home.path(), &[], &[]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(77), ""));
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn outcomes_without_a_token() {
    let (google, home) = (emulator().await, TempDir::new().unwrap());
    let access = access_token(&google).await;
    let (closed, url) = (closed().await, google.url().to_string());
    let iam = ("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", url.as_str());
    let account = |account| [("BRIGADE_IMPERSONATE", account), iam];
    let valid = format!("[ $1 = auth ] && echo {access}");
    let poller = &account(POLLER)[..];
    let host = closed.strip_prefix("http://").unwrap();
    let absent = "absent@p.iam.gserviceaccount.com";
    let login = "gcloud auth application-default login";
    for (case, code, named, gcloud_script, environment) in [
        ("no source", 77, "GOOGLE_APPLICATION_CREDENTIALS", "", &[][..]),
        ("named metadata server is absent", 69, host, "", &[("GCE_METADATA_HOST", host)]),
        ("no gcloud", 77, login, "", poller),
        ("no login", 77, login, "exit 1", poller),
        ("the login is over", 77, "HTTP 401", "[ $1 = auth ] && echo ya29.over", poller),
        ("no such account", 77, "HTTP 404", &valid, &account(absent)),
        ("not an account", 77, "../x@p?", &valid, &account("../x@p?")),
        // gcloud's login is not tried instead of a broken one.
        ("broken login", 77, login, &valid, poller),
    ] {
        if !gcloud_script.is_empty() {
            gcloud(home.path(), gcloud_script);
        }
        if case == "broken login" {
            let directory = home.path().join(".config/gcloud");
            fs::create_dir_all(&directory).unwrap();
            let path = directory.join("application_default_credentials.json");
            fs::write(path, r#"{"type": "external_account", "secret": "SECRET"}"#).unwrap();
        }
        let ended = token(home.path(), &["--decode"], environment).await;
        assert_eq!(ended.out, "", "{case}");
        assert!(!ended.err.contains("ya29") && !ended.err.contains("SECRET"), "{}", ended.err);
        assert_eq!(ended.code, Some(code), "{case}: {}", ended.err);
        assert!(ended.err.contains(named), "{case}: {}", ended.err);
    }
}

#[tokio::test]
async fn a_gcloud_that_waits_for_input_is_given_up_and_reported() {
    let (google, home) = (emulator().await, TempDir::new().unwrap());
    let pid = home.path().join("pid");
    let hangs = format!("echo $$ > {}; exec /bin/sleep 600", pid.display());
    gcloud(home.path(), &hangs);
    let began = Instant::now();
    let url = google.url().to_string();
    let environment =
        [("BRIGADE_IMPERSONATE", POLLER), ("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS", &url)];
    let ended = token(home.path(), &["--decode"], &environment).await;
    let took = began.elapsed();
    let pid = fs::read_to_string(pid).unwrap();
    Command::new("kill").arg(pid.trim()).status().unwrap();
    assert_eq!((ended.code, ended.out.as_str()), (Some(69), ""));
    assert!(ended.err.contains("gcloud auth print-access-token"), "{}", ended.err);
    // It sleeps for ten minutes.
    assert!(took < Duration::from_mins(5), "{took:?}");
}
