//! No log, error or `Debug` holds a token.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::json;
use tower::{Layer as _, Service as _, service_fn};

use super::{
    Guarded,
    issuer::{good, now, with_claims, with_header},
};
use crate::{
    guard::GuardLayer,
    telemetry::{Buffer, Format, subscriber},
};

/// Every kind of token there is to refuse, and one that is good.
fn tokens() -> Vec<String> {
    let good = good();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    vec![
        with_claims(json!({ "exp": now() - 60 })),
        with_claims(json!({ "aud": "https://elsewhere.example" })),
        with_claims(json!({ "email": "somebody@else.example" })),
        with_claims(json!({ "exp": "soon" })),
        with_header(json!({ "alg": "none" })),
        with_header(json!({ "kid": "../../dev/null" })),
        with_header(json!({ "kid": "unknown" })),
        format!("{signed}.{}", signature.chars().rev().collect::<String>()),
        format!("{good}.{good}"),
        format!("{good}="),
        good,
    ]
}

/// Whether a part of the token that nobody else could know stands in the text.
fn leaks(text: &str, token: &str) -> bool {
    token
        .split('.')
        .any(|part| part.len() > 20 && text.contains(&part[..20]))
}

#[tokio::test]
async fn no_log_line_holds_a_token() {
    let buffer = Buffer::default();
    let _logging =
        tracing::subscriber::set_default(subscriber(Format::Json, "trace", buffer.clone()));
    let guarded = Guarded::start().await;
    let inner = service_fn(async |request: axum::http::Request<()>| {
        tracing::trace!(headers = ?request.headers(), "called");
        Ok::<_, std::convert::Infallible>("done")
    });
    let mut service = GuardLayer::new(guarded.guard.clone()).layer(inner);
    // Twice: the second time some are remembered.
    for token in tokens().iter().chain(&tokens()) {
        let request = axum::http::Request::builder()
            .header("authorization", format!("Bearer {token}"))
            .header("x-serverless-authorization", format!("Bearer {token}"));
        let response = service.call(request.body(()).unwrap()).await.unwrap();
        let shown = format!("{response:?} {:?}", guarded.guard);
        assert!(!leaks(&shown, token), "{shown}");
        assert!(!leaks(&buffer.text(), token), "{}", buffer.text());
    }
    let text = buffer.text();
    for expected in [
        "call refused",
        "call accepted",
        "\"check\":\"exp\"",
        "Sensitive",
    ] {
        assert!(text.contains(expected), "{expected} is missing in: {text}");
    }
}

#[tokio::test]
async fn no_refusal_holds_a_token() {
    let guarded = Arc::new(Guarded::start().await);
    for token in tokens() {
        let mut headers = HeaderMap::new();
        headers.insert(
            AUTHORIZATION,
            HeaderValue::from_str(&format!("Bearer {token}")).unwrap(),
        );
        if let Err(refusal) = guarded.guard.check(&headers).await {
            assert!(!leaks(
                &format!("{refusal} {refusal:?} {}", refusal.check()),
                &token
            ));
        }
    }
}
