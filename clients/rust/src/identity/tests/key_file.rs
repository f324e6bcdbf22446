//! A service account's key file: what it may be, and what its exchange may answer.

use std::{fs, path::PathBuf, sync::LazyLock, time::Duration};

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use axum::{Form, Json, response::IntoResponse, routing::post};
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use tempfile::TempDir;

use super::*;

/// One key for all tests: making one takes a while.
static KEY: LazyLock<String> = LazyLock::new(|| {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let text = BASE64_STANDARD.encode(der.as_ref());
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
});

/// A file as the console hands it out, but for its `token_uri`.
pub(super) fn file(token_uri: &str) -> Value {
    json!({
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "k1",
        "private_key": *KEY,
        "client_email": "poller@p.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": token_uri,
    })
}

/// A directory that is gone with the test, and the file in it.
pub(super) fn written(content: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("key.json");
    fs::write(&path, content).unwrap();
    (directory, path)
}

pub(super) fn read(content: &str) -> Result<ServiceAccountFile, Error> {
    let (_directory, path) = written(content);
    ServiceAccountFile::read(&path)
}

/// Whether a message shows some of a file's key, or of what a server answered.
pub(super) fn shows_a_secret(message: &str) -> bool {
    let key = KEY.lines().nth(1).unwrap();
    message.contains(&key[..40]) || message.contains("SECRET")
}

/// The source whose exchange answers so.
async fn exchanging<A: IntoResponse + Clone + Send + Sync + 'static>(
    answer: A,
) -> ServiceAccountFile {
    let router = Router::new().route("/token", post(move || async move { answer }));
    let uri = format!("http://{}/token", serving(router).await);
    read(&file(&uri).to_string()).unwrap()
}

pub(super) async fn refusal<A: IntoResponse + Clone + Send + Sync + 'static>(answer: A) -> Error {
    exchanging(answer).await.fetch(AUDIENCE).await.unwrap_err()
}

#[tokio::test]
async fn the_assertion_asks_for_this_audience_at_the_files_own_token_uri() {
    let router = Router::new().route(
        "/own/token",
        post(|Form(form): Form<Vec<(String, String)>>| async move {
            assert_eq!(form[0].0, "grant_type");
            assert_eq!(form[0].1, "urn:ietf:params:oauth:grant-type:jwt-bearer");
            let claims = form[1].1.split('.').nth(1).unwrap();
            let claims: Value =
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
            assert_eq!(claims["target_audience"], AUDIENCE);
            assert_eq!(claims["iss"], "poller@p.iam.gserviceaccount.com");
            assert!(claims["aud"].as_str().unwrap().ends_with("/own/token"));
            Json(json!({"id_token": good()}))
        }),
    );
    let uri = format!("http://{}/own/token", serving(router).await);
    let source = read(&file(&uri).to_string()).unwrap();
    assert!(source.fetch(AUDIENCE).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_never_answers_fails_in_ten_seconds() {
    let (_listening, host) = mute().await;
    let source = read(&file(&format!("http://{host}/token")).to_string()).unwrap();
    let began = tokio::time::Instant::now();
    let error = source.fetch(AUDIENCE).await.unwrap_err();
    let took = began.elapsed();
    assert!(took <= Duration::from_millis(10_100), "{took:?}");
    assert!(error.is_transient(), "{error}");
}
