//! What is in the spans of a client, and what is not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "../../../services/telemetry/tests/kit/mod.rs"]
mod kit;
mod raw;

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use brigade_client::{
    WorkerClient,
    identity::{Cached, Error, IdToken, TokenSource},
};
use brigade_proto::v1::ProcessRequest;

use self::{
    kit::observe,
    raw::{GRPC, PATIENCE, head, seeing},
};

/// The only source of tokens in this environment.
#[derive(Debug)]
struct Secret;

#[async_trait]
impl TokenSource for Secret {
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error> {
        let part = |json: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let header = part(serde_json::json!({"alg": "RS256"}));
        let claims = part(serde_json::json!({
            "aud": audience, "iss": "i", "sub": "s", "iat": 0, "exp": 4_000_000_000_u64,
        }));
        IdToken::parse(&format!("{header}.{claims}.c2VjcmV0"), audience, "secrets")
    }

    fn describe(&self) -> String {
        "secrets".into()
    }
}

#[tokio::test]
async fn no_span_has_the_token_of_a_call_or_more_than_256_bytes_of_an_answers_message() {
    let seen = observe();
    let message = "x".repeat(300);
    let (url, mut headers) = seeing(move |mut respond| {
        let headers = [GRPC, ("grpc-status", "3"), ("grpc-message", message.as_str())];
        respond.send_response(head(200, &headers), true).unwrap();
    })
    .await;
    let client = WorkerClient::new(&url, Some(Arc::new(Cached::new(Secret))), None).unwrap();
    client.process(ProcessRequest::default(), PATIENCE).await.into_result().unwrap_err();
    let sent = headers.recv().await.unwrap()["authorization"].to_str().unwrap().to_owned();
    let token = sent.strip_prefix("Bearer ").unwrap();
    let spans = seen.spans();
    let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["fetch token", "process"]);
    let text = format!("{spans:?}");
    assert!(!token.split('.').any(|part| text.contains(part)), "{text}");
    assert!(text.contains(&"x".repeat(256)) && !text.contains(&"x".repeat(257)), "{text}");
}
