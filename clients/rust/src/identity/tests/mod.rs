//! The ways to a token, against small servers that answer as they should and as they should not.

mod attach;
mod cache;
mod environment;
mod key_file;
mod messages;
mod metadata;

use axum::Router;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use tokio::net::TcpListener;

use super::*;

const AUDIENCE: &str = "https://worker.example";

/// Seconds since 1970.
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// An unsigned token; a caller cannot tell.
fn token(audience: &str, expires: u64) -> String {
    numbered(audience, expires, 0)
}

/// One of many such tokens.
fn numbered(audience: &str, expires: u64, number: usize) -> String {
    let encode = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.c2lnbmF0dXJl",
        encode(json!({"alg": "RS256"})),
        encode(json!({"aud": audience, "exp": expires, "jti": number}))
    )
}

fn good() -> String {
    token(AUDIENCE, now() + 3600)
}

/// Serves these routes; the answer is its `HOST:PORT`.
async fn serving(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    host
}

/// An address without a listener.
async fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// An address where connections are taken and never answered.
async fn mute() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    (listener, host)
}

#[test]
fn a_token_shows_itself_to_nobody() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    let secret = good();
    let token = IdToken::parse(&secret, AUDIENCE, "test").unwrap();
    let shown = format!("{token:?} {token:#?}");
    assert!(!shown.contains(&secret[..20]), "{shown}");
    assert!(!format!("{:?}", token.bearer()).contains("eyJ"));
    let error = IdToken::parse(&secret, "https://other", "test").unwrap_err();
    assert!(!format!("{error} {error:?}").contains(&secret[..20]));
}
