//! A service account's key file: what it may be, and what its exchange may answer.

use std::{fs, path::PathBuf, sync::LazyLock, time::Duration};

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use axum::{Form, Json, http::StatusCode, response::IntoResponse, routing::post};
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
fn file(token_uri: &str) -> Value {
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
fn written(content: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("key.json");
    fs::write(&path, content).unwrap();
    (directory, path)
}

fn read(content: &str) -> Result<ServiceAccountFile, Error> {
    let (_directory, path) = written(content);
    ServiceAccountFile::read(&path)
}

/// What is wrong with this file, in words; its key is in none of them.
fn complaint(content: &str) -> String {
    let error = read(content).unwrap_err();
    assert!(!error.is_transient());
    let text = error.to_string();
    let key = KEY.lines().nth(1).unwrap();
    assert!(
        !text.contains(&key[..40]) && !text.contains("SECRET"),
        "{text}"
    );
    text
}

/// The source whose exchange answers so.
async fn exchanging<A: IntoResponse + Clone + Send + Sync + 'static>(
    answer: A,
) -> ServiceAccountFile {
    let router = Router::new().route("/token", post(move || async move { answer }));
    let uri = format!("http://{}/token", serving(router).await);
    read(&file(&uri).to_string()).unwrap()
}

async fn refusal<A: IntoResponse + Clone + Send + Sync + 'static>(answer: A) -> Error {
    exchanging(answer).await.fetch(AUDIENCE).await.unwrap_err()
}

#[test]
fn a_missing_file_is_named() {
    let path = PathBuf::from("/nowhere/key.json");
    let error = ServiceAccountFile::read(&path).unwrap_err();
    assert!(matches!(error, Error::Unreadable { .. }), "{error}");
    assert!(error.to_string().contains("/nowhere/key.json"), "{error}");
}

#[test]
fn an_unreadable_file_is_named() {
    // A directory cannot be read as a file, by whomever.
    let directory = TempDir::new().unwrap();
    let error = ServiceAccountFile::read(directory.path()).unwrap_err();
    assert!(matches!(error, Error::Unreadable { .. }), "{error}");
}

#[test]
fn a_file_that_is_not_json_is_named_by_the_line() {
    assert!(complaint("SECRET").contains("not JSON (line 1)"));
    assert!(complaint("").contains("not JSON"));
}

#[test]
fn a_file_of_another_type_is_named_by_it() {
    for kind in [
        "authorized_user",
        "external_account",
        "impersonated_service_account",
    ] {
        let content = json!({"type": kind, "refresh_token": "SECRET"}).to_string();
        assert!(complaint(&content).contains(&format!("its type is {kind:?}")));
    }
    assert!(complaint(r#"{"client_email": "a@b"}"#).contains("it has no type"));
}

#[test]
fn a_file_with_a_bad_key_is_named_by_it() {
    for bad in [
        "SECRET",
        "-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE KEY-----\n",
    ] {
        let mut file = file("https://oauth2.googleapis.com/token");
        file["private_key"] = bad.into();
        assert!(complaint(&file.to_string()).contains("private_key is not an RSA key"));
    }
}

#[test]
fn a_file_with_a_field_too_few_is_refused() {
    for field in ["client_email", "private_key_id", "token_uri", "private_key"] {
        let mut file = file("https://oauth2.googleapis.com/token");
        file.as_object_mut().unwrap().remove(field);
        assert!(
            complaint(&file.to_string()).contains(if field == "private_key" {
                "private_key"
            } else {
                "are not all there"
            })
        );
    }
}

#[test]
fn a_file_that_would_send_its_assertion_in_the_clear_is_refused() {
    assert!(complaint(&file("http://oauth2.example/token").to_string()).contains("https"));
    assert!(complaint(&file("no url").to_string()).contains("not a URL"));
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

#[tokio::test]
async fn an_exchange_that_is_down_heals_with_time() {
    let uri = format!("http://{}/token", closed().await);
    let error = read(&file(&uri).to_string())
        .unwrap()
        .fetch(AUDIENCE)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Away { .. }) && error.is_transient(),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_never_answers_fails_in_ten_seconds() {
    let (_listening, host) = mute().await;
    let source = read(&file(&format!("http://{host}/token")).to_string()).unwrap();
    let began = tokio::time::Instant::now();
    let error = source.fetch(AUDIENCE).await.unwrap_err();
    assert!(
        began.elapsed() <= Duration::from_millis(10_100),
        "{:?}",
        began.elapsed()
    );
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_refused_exchange_says_what_it_means_and_quotes_nothing() {
    let body = Json(json!({"error": "invalid_grant", "error_description": "SECRET"}));
    let error = refusal((StatusCode::BAD_REQUEST, body)).await;
    assert!(
        matches!(error, Error::Refused { status: 400, .. }) && !error.is_transient(),
        "{error}"
    );
    let text = error.to_string();
    for cause in ["key disabled or deleted", "clock wrong"] {
        assert!(text.contains(cause) && !text.contains("SECRET"), "{text}");
    }
    assert!(
        refusal(StatusCode::SERVICE_UNAVAILABLE)
            .await
            .is_transient()
    );
}

#[tokio::test]
async fn an_exchange_without_an_id_token_is_refused() {
    for body in [
        json!({"access_token": "ya29.SECRET", "expires_in": 3599}),
        json!([]),
        json!({"id_token": null}),
    ] {
        let text = refusal(Json(body)).await.to_string();
        assert!(
            text.contains("there is no id_token in it") && !text.contains("SECRET"),
            "{text}"
        );
    }
    assert!(
        refusal("<html>")
            .await
            .to_string()
            .contains("there is no id_token in it")
    );
    let other = json!({"id_token": token("https://other.example", now() + 3600)});
    assert!(
        refusal(Json(other))
            .await
            .to_string()
            .contains("another audience")
    );
}

#[tokio::test]
async fn a_redirected_exchange_is_not_followed() {
    let elsewhere = axum::response::Redirect::temporary("http://127.0.0.1:1/");
    let error = refusal(elsewhere).await;
    assert!(
        matches!(error, Error::Refused { status: 307, .. }),
        "{error}"
    );
}
