//! A service account's key file as the source of tokens, over the real exchange.

use std::{fs, path::PathBuf, sync::Arc};

use brigade_client::identity::{Environment, Error, ServiceAccountFile, source};
use brigade_proto::v1::Settlement;
use tempfile::TempDir;

use crate::harness::{POLLER, System, accepting};

/// Asks for no key file but this, and for no metadata server that answers.
fn environment(key_file: PathBuf) -> Environment {
    Environment {
        google_application_credentials: Some(key_file),
        gce_metadata_host: Some("127.0.0.1:1".into()),
        ..Environment::default()
    }
}

#[tokio::test]
async fn a_key_file_is_exchanged_at_its_own_token_uri_and_the_worker_accepts_the_token() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("key.json");
    let system = System::with_identity(|emulator| {
        let file = emulator.identity().service_account_file(POLLER);
        fs::write(&path, file.to_string()).unwrap();
        source(&environment(path)).unwrap()
    })
    .await;
    system.upload("a", "x");
    system.poll_settles(&[("a", Settlement::Processed)]).await;
}

#[tokio::test]
async fn a_key_that_the_exchange_does_not_know_is_refused_and_nothing_moves() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("key.json");
    let other = System::with_processor(accepting()).await;
    let mut file = other.emulator.identity().service_account_file(POLLER);
    let system = System::with_identity(|emulator| {
        file["token_uri"] = format!("{}token", emulator.url()).into();
        fs::write(&path, file.to_string()).unwrap();
        Arc::new(ServiceAccountFile::read(&path).unwrap())
    })
    .await;
    system.upload("a", "x");
    let status = system.poll().await.unwrap_err();
    let words = status.message();
    assert!(words.contains("refused: HTTP 400"), "{words}");
    assert_eq!(system.names(), ["incoming/a"]);
}

#[test]
fn a_wrong_file_is_an_error_and_never_falls_through_to_the_metadata_server() {
    let directory = TempDir::new().unwrap();
    let read = |content: &str| {
        let path = directory.path().join("key.json");
        fs::write(&path, content).unwrap();
        source(&environment(path)).unwrap_err().to_string()
    };
    assert!(read("hello").contains("not JSON"));
    assert!(read(r#"{"type":"authorized_user"}"#).contains("\"authorized_user\""));
    assert!(read(r#"{"type":"service_account"}"#).contains("client_email"));
    let bad_key = r#"{"type":"service_account","client_email":"a@b","private_key_id":"1","private_key":"SECRET","token_uri":"https://x"}"#;
    let error = read(bad_key);
    assert!(error.contains("private_key") && !error.contains("SECRET"), "{error}");
    assert!(read(&bad_key.replace("https://x", "http://evil.example/token")).contains("https"));

    let missing = source(&environment(directory.path().join("none.json")));
    assert!(matches!(missing, Err(Error::Unreadable { .. })));
}
