//! No log, error or `Debug` holds a token.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, Request, header::AUTHORIZATION},
    response::IntoResponse as _,
};
use serde_json::json;
use tower::{Layer as _, Service as _, service_fn};

use super::{
    Guarded, Refusal,
    issuer::{AUDIENCE, CALLER, good, now, with_claims, with_header},
    logged,
};
use crate::{
    guard::{Caller, Guard, GuardLayer, GuardSettings},
    telemetry::Format,
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

/// Whether the text contains a secret part of the token.
fn leaks(text: &str, token: &str) -> bool {
    token.split('.').any(|part| part.len() > 20 && text.contains(&part[..20]))
}

#[tokio::test]
async fn no_log_line_holds_a_token() {
    let (buffer, _logging) = logged(Format::Json, "trace");
    let guarded = Guarded::start().await;
    let inner = service_fn(async |request: Request<()>| {
        tracing::trace!(headers = ?request.headers(), "called");
        Ok::<_, Infallible>("done")
    });
    let mut service = GuardLayer::new(guarded.guard.clone()).layer(inner);
    // Twice: the second time some are remembered.
    for token in tokens().iter().chain(&tokens()) {
        let request = Request::builder()
            .header("authorization", format!("Bearer {token}"))
            .header("x-serverless-authorization", format!("Bearer {token}"));
        let response = service.call(request.body(()).unwrap()).await.unwrap();
        let shown = format!("{response:?} {:?}", guarded.guard);
        assert!(!leaks(&shown, token), "{shown}");
        assert!(!leaks(&buffer.text(), token), "{}", buffer.text());
    }
    let text = buffer.text();
    for expected in ["call refused", "call accepted", "\"check\":\"exp\"", "Sensitive"] {
        assert!(text.contains(expected), "{expected} is missing in: {text}");
    }
}

/// What a service logs at `info` while it serves two calls with this token in `format`. The second time it is remembered.
async fn served(guard: Arc<Guard>, format: Format, token: &str) -> String {
    let (buffer, _logging) = logged(format, "info");
    // Logs when it is called, while it works, and while it sends its answer.
    let inner = service_fn(|_: Request<()>| {
        tracing::info!("taken");
        async {
            tokio::task::yield_now().await;
            tracing::info!("at work");
            let frames = [1, 2].map(|number| {
                move || {
                    tracing::info!(number, "sent");
                    Ok::<_, Infallible>("event")
                }
            });
            let events = tokio_stream::StreamExt::map(tokio_stream::iter(frames), |frame| frame());
            Ok::<_, Infallible>(Body::from_stream(events).into_response())
        }
    });
    let mut service = GuardLayer::new(guard).layer(inner);
    for _ in 0..2 {
        let request = Request::builder().header("authorization", format!("Bearer {token}"));
        let response = service.call(request.body(()).unwrap()).await.unwrap();
        to_bytes(response.into_body(), 1024).await.unwrap();
    }
    tracing::info!("after it");
    buffer.text()
}

#[tokio::test]
async fn every_log_line_of_a_call_names_its_caller_by_email_alone() {
    let token = good();
    for format in [Format::Human, Format::Json] {
        let guarded = Guarded::start().await;
        let text = served(guarded.guard.clone(), format, &token).await;
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 9, "{text}");
        for line in &lines[..8] {
            assert!(line.contains("call{caller=") && line.contains(CALLER), "{line}");
        }
        assert!(!lines[8].contains(CALLER), "the call is over: {text}");
        assert!(!text.contains("1178") && !leaks(&text, &token), "{text}");
    }
}

#[tokio::test]
async fn a_call_that_nobody_checked_has_no_caller_in_its_log_lines() {
    let guard = Arc::new(Guard::new(GuardSettings::off()).unwrap());
    let text = served(guard, Format::Human, &good()).await;
    assert_eq!(text.lines().count(), 9);
    assert!(!text.contains("caller"), "{text}");
}

#[tokio::test]
async fn a_caller_who_may_not_call_is_named_with_the_setting_that_lets_them_in() {
    let (buffer, _logging) = logged(Format::Json, "info");
    let guarded = Guarded::start().await;
    let token = with_claims(json!({ "email": "somebody@else.example" }));
    assert_eq!(guarded.check(&token).await, Err(Refusal::Caller));
    let text = buffer.text();
    assert!(text.contains("somebody@else.example"), "{text}");
    assert!(text.contains("BRIGADE_ALLOWED_CALLERS"), "{text}");
}

#[tokio::test]
async fn both_audiences_are_logged_in_part_and_escaped_and_neither_is_answered() {
    for format in [Format::Json, Format::Human] {
        let (buffer, _logging) = logged(format, "info");
        let guarded = Guarded::start().await;
        let aud = format!("https://elsewhere.example\n\u{1b}[31m{}", "x".repeat(4_000));
        let token = with_claims(json!({ "aud": aud }));
        let refusal = guarded.check(&token).await.unwrap_err();
        assert_eq!(refusal, Refusal::Audience);
        let text = buffer.text();
        for part in ["https://elsewhere.example", AUDIENCE, "BRIGADE_AUDIENCE"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(text.lines().count() == 1 && !text.contains('\u{1b}'), "{text}");
        assert!(text.len() < 1_500, "{text}");
        let answer = format!("{refusal} {:?}", refusal.response(false));
        assert!(!answer.contains("example"), "{answer}");
    }
}

#[tokio::test]
async fn a_path_of_any_length_is_logged_in_part() {
    let (buffer, _logging) = logged(Format::Json, "info");
    let guarded = Guarded::start().await;
    let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>("done"));
    let mut service = GuardLayer::new(guarded.guard.clone()).layer(inner);
    let request = Request::get(format!("/{}", "x".repeat(8_000)));
    let response = service.call(request.body(()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 401);
    let text = buffer.text();
    assert!(text.contains("call refused") && text.len() < 1_000, "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_refused_calls_is_a_few_lines_and_a_count_each_second() {
    let (buffer, _logging) = logged(Format::Json, "info");
    let guard = Guard::new(super::settings(&super::keyserver::KeyServer::start().await)).unwrap();
    let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>("done"));
    let mut service = GuardLayer::new(Arc::new(guard)).layer(inner);
    for second in 1..=3 {
        for _ in 0..1_000 {
            let request = Request::get("/poll").body(()).unwrap();
            assert_eq!(service.call(request).await.unwrap().status(), 401);
        }
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let text = buffer.text();
        assert_eq!(text.matches("\"message\":\"call refused\"").count(), 5 * second, "{text}");
        assert_eq!(text.matches("more calls were refused").count(), second, "{text}");
        assert_eq!(text.matches("\"count\":995").count(), second, "{text}");
    }
}

#[tokio::test]
async fn two_calls_at_once_are_each_logged_as_their_own() {
    let (buffer, _logging) = logged(Format::Human, "warn");
    let other = "other@project.iam.gserviceaccount.com";
    let keys = super::keyserver::KeyServer::start().await;
    let settings = GuardSettings {
        allowed_callers: vec![CALLER.to_owned(), other.to_owned()],
        ..super::settings(&keys)
    };
    let inner = service_fn(async |request: Request<()>| {
        let caller = request.extensions().get::<Caller>().unwrap().email.clone();
        for _ in 0..3 {
            tokio::task::yield_now().await;
            tracing::warn!(of = &*caller, "at work");
        }
        Ok::<_, Infallible>("done")
    });
    let service = GuardLayer::new(Arc::new(Guard::new(settings).unwrap())).layer(inner);
    let call = |token: String| {
        let request = Request::builder().header("authorization", format!("Bearer {token}"));
        let mut service = service.clone();
        async move { service.call(request.body(()).unwrap()).await }
    };
    let (first, second) = tokio::join!(call(good()), call(with_claims(json!({ "email": other }))));
    assert!(first.unwrap().status().is_success() && second.unwrap().status().is_success());
    let text = buffer.text();
    assert_eq!(text.lines().count(), 6, "{text}");
    for line in text.lines() {
        let named = |email: &str| line.matches(email).count();
        assert!(matches!((named(CALLER), named(other)), (2, 0) | (0, 2)), "{line}");
    }
}

#[tokio::test]
async fn no_refusal_holds_a_token() {
    let guarded = Arc::new(Guarded::start().await);
    for token in tokens() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        if let Err(refusal) = guarded.guard.check(&headers).await {
            assert!(!leaks(&format!("{refusal} {refusal:?} {}", refusal.check()), &token));
        }
    }
}
