//! Every reason why there is no ID token, in words.

use std::fmt::Write as _;

use axum::{Json, http::StatusCode, response::Redirect};

use super::{key_file, metadata, *};
use crate::identity::attach::AttachLayer;

/// A port is another in each run.
fn without_port(message: &str) -> String {
    let Some((before, rest)) = message.split_once("127.0.0.1:") else {
        return message.to_owned();
    };
    format!("{before}HOST{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
}

#[derive(Default)]
struct Table(String);

impl Table {
    fn add(&mut self, case: &str, error: &Error) {
        let kind = if error.is_transient() { "for now" } else { "for good" };
        let message = without_port(&error.to_string());
        let _ = writeln!(self.0, "{case}, {kind}: {message}");
    }
}

#[tokio::test]
async fn the_metadata_server() {
    let mut table = Table::default();
    for (case, router) in [
        ("no mark", metadata::answering(good())),
        ("400", metadata::marked(StatusCode::BAD_REQUEST)),
        ("404", metadata::marked(StatusCode::NOT_FOUND)),
        ("503", metadata::marked(StatusCode::SERVICE_UNAVAILABLE)),
        ("redirect", metadata::marked(Redirect::temporary("http://127.0.0.1:1/"))),
        ("a page", metadata::marked("<html>captive portal</html>")),
        ("nothing", metadata::marked("")),
        ("an access token", metadata::marked("ya29.an-access-token")),
        ("ten megabytes", metadata::marked("x".repeat(10 << 20))),
        ("expired", metadata::marked(token(AUDIENCE, now() - 10))),
        ("another audience", metadata::marked(token("https://other.example", now() + 3600))),
    ] {
        let source = MetadataServer::new(Some(&serving(router).await));
        table.add(case, &source.fetch(AUDIENCE).await.unwrap_err());
    }
    for (case, explicit) in [("down", true), ("absent", false)] {
        let source = MetadataServer::at(&closed().await, explicit);
        table.add(case, &source.fetch(AUDIENCE).await.unwrap_err());
    }
    insta::assert_snapshot!(table.0);
}

#[test]
fn a_key_file() {
    let google = "https://oauth2.googleapis.com/token";
    let with = |field: &str, value: serde_json::Value| {
        let mut file = key_file::file(google);
        file[field] = value;
        file.to_string()
    };
    let without = |field: &str| {
        let mut file = key_file::file(google);
        file.as_object_mut().unwrap().remove(field);
        file.to_string()
    };
    let of_type = |kind| json!({"type": kind, "refresh_token": "SECRET"}).to_string();
    let key = "-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE KEY-----\n";
    let mut table = Table::default();
    for (case, content) in [
        ("no JSON", "SECRET".to_owned()),
        ("nothing", String::new()),
        ("no type", r#"{"client_email": "a@b"}"#.to_owned()),
        ("a user's", of_type("authorized_user")),
        ("external", of_type("external_account")),
        ("impersonated", of_type("impersonated_service_account")),
        ("no client_email", without("client_email")),
        ("no private_key_id", without("private_key_id")),
        ("no token_uri", without("token_uri")),
        ("no private_key", without("private_key")),
        ("no PEM", with("private_key", "SECRET".into())),
        ("no RSA key", with("private_key", key.into())),
        ("no URL", with("token_uri", "no url".into())),
        ("in the clear", with("token_uri", "http://oauth2.example/token".into())),
    ] {
        let (_directory, path) = key_file::written(&content);
        let error = ServiceAccountFile::read(&path).unwrap_err();
        let text = error.to_string();
        assert!(!key_file::shows_a_secret(&text), "{text}");
        let place = path.display().to_string();
        let _ = writeln!(table.0, "{case}: {}", text.replace(&place, "KEY_FILE"));
        assert!(!error.is_transient());
    }
    let missing = ServiceAccountFile::read("/nowhere/key.json".as_ref());
    table.add("missing", &missing.unwrap_err());
    // By whomever, a directory cannot be read as a file.
    let directory = ServiceAccountFile::read("/".as_ref());
    table.add("a directory", &directory.unwrap_err());
    insta::assert_snapshot!(table.0);
}

#[tokio::test]
async fn the_exchange_of_a_key_file() {
    let secret = || json!({"error": "invalid_grant", "error_description": "SECRET"});
    let mut errors = vec![
        ("400", key_file::refusal((StatusCode::BAD_REQUEST, Json(secret()))).await),
        ("401", key_file::refusal((StatusCode::UNAUTHORIZED, Json(secret()))).await),
        ("503", key_file::refusal(StatusCode::SERVICE_UNAVAILABLE).await),
        ("redirect", key_file::refusal(Redirect::temporary("http://127.0.0.1:1/")).await),
        ("a page", key_file::refusal("<html>").await),
    ];
    for (case, body) in [
        ("an access token", json!({"access_token": "ya29.SECRET", "expires_in": 3599})),
        ("a list", json!([])),
        ("null", json!({"id_token": null})),
        ("another audience", json!({"id_token": token("https://other.example", now() + 3600)})),
    ] {
        errors.push((case, key_file::refusal(Json(body)).await));
    }
    let down = format!("http://{}/token", closed().await);
    let down = key_file::read(&key_file::file(&down).to_string()).unwrap();
    errors.push(("down", down.fetch(AUDIENCE).await.unwrap_err()));
    let mut table = Table::default();
    for (case, error) in errors {
        let text = error.to_string();
        assert!(!key_file::shows_a_secret(&text), "{text}");
        let start = text.split("(key file ").nth(1).unwrap_or_default();
        let place = start.split(')').next().unwrap_or_default();
        let kind = if error.is_transient() { "for now" } else { "for good" };
        let text = without_port(&text.replace(place, "KEY_FILE"));
        let _ = writeln!(table.0, "{case}, {kind}: {text}");
    }
    insta::assert_snapshot!(table.0);
}

#[test]
fn impersonation_and_settings() {
    let mut table = Table::default();
    let account = "poller@p.iam.gserviceaccount.com";
    let source = Impersonated::new(account, None, None).unwrap();
    for status in [400, 401, 403, 404, 503] {
        let status = StatusCode::from_u16(status).unwrap();
        let error = http::refused(&source, status, impersonate::reason(status));
        table.add(status.as_str(), &error);
    }
    table.add("no account", &Impersonated::new("poller", None, None).unwrap_err());
    let clear = Impersonated::new(account, Some("http://iam.example"), None);
    table.add("in the clear", &clear.unwrap_err());
    table.add("no login", &Error::NoUser { why: "WHY".into() });
    table.add("no text", &Error::NotText("GCE_METADATA_HOST"));
    let (_, cached) = super::cache::cached(super::cache::Counting::default());
    let url = "http://worker.example".parse().unwrap();
    let clear = AttachLayer::new(cached, &url, None);
    table.add("a worker in the clear", &clear.unwrap_err());
    insta::assert_snapshot!(table.0);
}
