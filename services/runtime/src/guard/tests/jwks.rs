//! The issuer's keys: when they are fetched, how often, and what happens when they cannot be.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use serde_json::json;
use tokio::{
    sync::Notify,
    task::{JoinHandle, JoinSet},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Caller, Guarded, Refusal,
    issuer::{claims, good, header, merged, ours, second, stranger, with_header},
    keyserver::{Answer, KeyServer, MAX_AGE, later},
    logged,
};
use crate::telemetry::Format;

const MINUTE: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);

async fn answering(answer: Answer) -> Guarded {
    Guarded::with(KeyServer::answering(answer).await)
}

fn by_second() -> String {
    second().sign(merged(header(), json!({ "kid": "key-b" })).to_string(), claims().to_string())
}

fn unknown(number: usize) -> String {
    with_header(json!({ "kid": format!("random-{number}") }))
}

/// Another good token of the first key.
fn another(number: usize) -> String {
    ours().sign(header().to_string(), merged(claims(), json!({ "jti": number })).to_string())
}

#[tokio::test]
async fn keys_are_fetched_once_and_not_before_they_are_needed() {
    let guarded = Guarded::start().await;
    assert_eq!(guarded.keys.fetches(), 0);
    for number in 0..10 {
        assert!(guarded.check(&another(number)).await.is_ok());
    }
    assert_eq!(guarded.keys.fetches(), 1);
}

#[tokio::test]
async fn a_thousand_first_calls_at_once_fetch_once_and_are_all_let_in() {
    let guarded = Arc::new(Guarded::start().await);
    let mut calls = JoinSet::new();
    for number in 0..1_000 {
        let guarded = guarded.clone();
        calls.spawn(async move { guarded.check(&another(number)).await });
    }
    for outcome in calls.join_all().await {
        assert!(outcome.is_ok(), "{outcome:?}");
    }
    assert_eq!(guarded.keys.fetches(), 1);
}

#[tokio::test]
async fn a_flood_of_unknown_key_ids_costs_one_fetch_a_minute_and_refuses_nobody_else() {
    let guarded = Guarded::start().await;
    assert!(guarded.check(&good()).await.is_ok());
    let mut refused = 0;
    for minute in 0..3 {
        for number in 0..1_000 {
            assert_eq!(
                guarded.check(&unknown(minute * 1_000 + number)).await,
                Err(Refusal::UnknownKey)
            );
            if number % 50 == 0 {
                refused +=
                    usize::from(guarded.check(&another(minute * 1_000 + number)).await.is_err());
            }
        }
        later(MINUTE).await;
    }
    assert_eq!(refused, 0);
    // The first call's, and one in each minute but the first call's own.
    assert_eq!(guarded.keys.fetches(), 3);
}

#[tokio::test]
async fn callers_who_go_away_do_not_begin_the_fetch_anew() {
    let guarded = Arc::new(answering(Answer::Nothing).await);
    for number in 0..50 {
        let call = guarded.clone();
        let call = tokio::spawn(async move { call.check(&unknown(number)).await });
        if number == 0 {
            guarded.keys.asked().await;
        } else {
            tokio::task::yield_now().await;
        }
        call.abort();
        assert!(call.await.is_err());
    }
    assert_eq!(guarded.keys.fetches(), 1);
}

#[tokio::test]
async fn a_call_that_goes_away_does_not_fail_those_that_wait_with_it() {
    let guarded = Arc::new(answering(Answer::Nothing).await);
    let (first, other) = (guarded.clone(), guarded.clone());
    let first = tokio::spawn(async move { first.check(&good()).await });
    guarded.keys.asked().await;
    let other = tokio::spawn(async move { other.check(&another(1)).await });
    tokio::task::yield_now().await;
    first.abort();
    later(11 * SECOND).await;
    assert_eq!(other.await.unwrap(), Err(Refusal::NoKeys));
}

#[tokio::test]
async fn a_new_key_is_known_after_one_fetch() {
    let guarded = answering(Answer::Keys(vec![ours().jwk()])).await;
    assert!(guarded.check(&good()).await.is_ok());
    guarded.keys.answer(Answer::Keys(vec![ours().jwk(), second().jwk()]));
    later(MINUTE).await;
    assert!(guarded.check(&by_second()).await.is_ok());
    assert_eq!(guarded.keys.fetches(), 2);
}

#[tokio::test]
async fn a_rotation_under_load_costs_one_fetch_and_refuses_nobody() {
    let guarded = Arc::new(answering(Answer::Keys(vec![ours().jwk()])).await);
    assert!(guarded.check(&good()).await.is_ok());
    let both = vec![ours().jwk(), second().jwk()];
    guarded.keys.answer(Answer::Keys(both));
    later(MINUTE).await;
    let (by_ours, by_second): (Arc<str>, Arc<str>) = (another(1).into(), by_second().into());
    // The time that calls wait for a fetch is short on a busy machine. A paused clock stands still while a task is ready.
    tokio::time::pause();
    let _ready = AbortOnDropHandle::new(tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    }));
    let mut calls = JoinSet::new();
    for number in 0..1_000 {
        let guarded = guarded.clone();
        let token = if number % 2 == 0 { &by_ours } else { &by_second }.clone();
        calls.spawn(async move { guarded.check(&token).await });
    }
    for outcome in calls.join_all().await {
        assert!(outcome.is_ok(), "{outcome:?}");
    }
    assert_eq!(guarded.keys.fetches(), 2);
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_when_the_old_set_has_aged() {
    let guarded = Guarded::start().await;
    let remembered = good();
    assert!(guarded.check(&remembered).await.is_ok());
    guarded.keys.answer(Answer::Keys(vec![second().jwk()]));
    later(MAX_AGE + SECOND).await;
    assert_eq!(guarded.check(&another(1)).await, Err(Refusal::UnknownKey));
    assert_eq!(guarded.check(&remembered).await, Err(Refusal::UnknownKey));
    assert!(guarded.check(&by_second()).await.is_ok());
    assert_eq!(guarded.keys.fetches(), 2);
}

#[tokio::test]
async fn a_guard_that_is_warmed_has_its_keys_before_the_first_call() {
    let guarded = Guarded::start().await;
    guarded.guard.warm();
    guarded.keys.asked().await;
    assert!(guarded.check(&good()).await.is_ok());
    assert_eq!(guarded.keys.fetches(), 1);
}

#[tokio::test]
async fn a_first_fetch_is_waited_for_however_slow_it_is() {
    let told = Arc::new(Notify::new());
    let guarded = Arc::new(answering(Answer::Late(told.clone(), vec![ours().jwk()])).await);
    let waiting = guarded.clone();
    let waiting = tokio::spawn(async move { waiting.check(&good()).await });
    guarded.keys.asked().await;
    later(5 * SECOND).await;
    told.notify_one();
    assert!(waiting.await.unwrap().is_ok());
    assert_eq!(guarded.keys.fetches(), 1);
}

#[tokio::test]
async fn keys_that_are_fresh_are_not_fetched_again_however_often_they_are_used() {
    let guarded = Guarded::start().await;
    for minute in 0..4 {
        assert!(guarded.check(&another(minute)).await.is_ok());
        // For a fetch that should not be there to be counted.
        tokio::time::sleep(Duration::from_millis(5)).await;
        later(MINUTE * 59 / 60).await;
    }
    assert_eq!(guarded.keys.fetches(), 1);
}

#[tokio::test]
async fn keys_are_fetched_again_before_they_are_old_and_nobody_waits() {
    let guarded = Guarded::start().await;
    assert!(guarded.check(&good()).await.is_ok());
    guarded.keys.asked().await;
    guarded.keys.answer(Answer::Nothing);
    later(MAX_AGE * 9 / 10).await;
    assert!(guarded.check(&another(1)).await.is_ok());
    guarded.keys.asked().await;
    assert!(guarded.check(&another(2)).await.is_ok());
    assert_eq!(guarded.keys.fetches(), 2);
}

/// Each row is a test: how the key server fails. Old keys serve on, and without any no caller is admitted.
macro_rules! outage {
    ($($name:ident: $answer:expr;)+) => { $(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn keeps_the_old_keys() {
                let guarded = Guarded::start().await;
                let remembered = good();
                assert!(guarded.check(&remembered).await.is_ok());
                guarded.keys.answer($answer);
                later(MAX_AGE + SECOND).await;
                assert!(guarded.check(&another(1)).await.is_ok());
                assert!(guarded.check(&remembered).await.is_ok());
                assert_eq!(guarded.keys.fetches(), 2);
                later(MINUTE).await;
                assert!(guarded.check(&another(2)).await.is_ok());
                assert_eq!(guarded.keys.fetches(), 3);
            }

            #[tokio::test]
            async fn is_not_remembered() {
                let guarded = answering($answer).await;
                assert_eq!(guarded.check(&good()).await, Err(Refusal::NoKeys));
                assert_eq!(guarded.check(&good()).await, Err(Refusal::NoKeys));
                assert_eq!(guarded.keys.fetches(), 1);
                guarded.keys.answer(Answer::Keys(vec![ours().jwk()]));
                later(SECOND).await;
                assert!(guarded.check(&good()).await.is_ok());
            }
        }
    )+ };
}

outage! {
    a_500: Answer::Status(StatusCode::INTERNAL_SERVER_ERROR);
    a_404: Answer::Status(StatusCode::NOT_FOUND);
    a_204: Answer::Status(StatusCode::NO_CONTENT);
    a_page: Answer::Body(b"<html>sign in</html>".to_vec());
    an_empty_body: Answer::Body(Vec::new());
    a_body_of_another_shape: Answer::Body(b"[]".to_vec());
    a_body_of_10_mib: Answer::Body(vec![b' '; 10 * 1024 * 1024]);
    a_good_set_behind_a_mib_of_blanks: Answer::Body(
        [vec![b' '; 1024 * 1024], json!({ "keys": [ours().jwk()] }).to_string().into_bytes()].concat());
    no_key_at_all: Answer::Keys(vec![]);
    no_usable_key: Answer::Keys(vec![json!({ "kty": "oct", "kid": "key-a", "k": "c2VjcmV0" })]);
}

#[tokio::test]
async fn a_set_of_256_kib_is_the_longest_that_is_read() {
    let set = json!({ "keys": [ours().jwk()] }).to_string();
    for (length, fits) in [(256 << 10, true), ((256 << 10) + 1, false)] {
        let body = [" ".repeat(length - set.len()), set.clone()].concat().into_bytes();
        let guarded = answering(Answer::Body(body)).await;
        assert_eq!(guarded.check(&good()).await.is_ok(), fits, "{length}");
    }
}

#[tokio::test]
async fn what_is_printed_of_keys_is_their_ids() {
    let guarded = answering(Answer::Keys(vec![ours().jwk()])).await;
    guarded.check(&good()).await.unwrap();
    let shown = format!("{:?}", guarded.guard);
    assert!(shown.contains("keys: [\"key-a\"]"), "{shown}");
}

/// Each module is a server that does not come to an end.
macro_rules! endless {
    ($($name:ident: $answer:expr;)+) => { $(
        mod $name {
            use super::*;

            /// A guard whose keys are old and whose server hangs, asked for the first time.
            async fn hanging(token: String) -> (Arc<Guarded>, JoinHandle<Result<Caller, Refusal>>) {
                let guarded = Arc::new(Guarded::start().await);
                assert!(guarded.check(&good()).await.is_ok());
                guarded.keys.asked().await;
                guarded.keys.answer($answer);
                later(MAX_AGE + SECOND).await;
                let waiting = guarded.clone();
                let waiting = tokio::spawn(async move { waiting.check(&token).await });
                guarded.keys.asked().await;
                (guarded, waiting)
            }

            #[tokio::test]
            async fn holds_up_a_known_key_for_a_second_and_those_after_it_not_at_all() {
                let (guarded, waiting) = hanging(another(1)).await;
                assert!(!waiting.is_finished());
                later(SECOND).await;
                assert!(waiting.await.unwrap().is_ok());
                // No time goes by of itself.
                tokio::time::pause();
                for number in 2..100 {
                    assert!(guarded.check(&another(number)).await.is_ok());
                }
                assert_eq!(guarded.keys.fetches(), 2);
            }

            #[tokio::test]
            async fn holds_up_an_unknown_key_for_a_second_and_asks_it_to_come_again() {
                let (guarded, waiting) = hanging(unknown(1)).await;
                later(SECOND).await;
                assert_eq!(waiting.await.unwrap(), Err(Refusal::NoKeys));
                assert_eq!(guarded.keys.fetches(), 2);
            }

            #[tokio::test]
            async fn is_given_up() {
                let (guarded, waiting) = hanging(another(1)).await;
                later(11 * SECOND).await;
                assert!(waiting.await.unwrap().is_ok());
                assert_eq!(guarded.keys.fetches(), 2);
                guarded.keys.answer(Answer::Keys(vec![second().jwk()]));
                later(MINUTE).await;
                assert!(guarded.check(&by_second()).await.is_ok());
                assert_eq!(guarded.keys.fetches(), 3);
            }
        }
    )+ };
}

endless! {
    a_server_that_never_answers: Answer::Nothing;
    a_slow_drip: Answer::Drip;
}

#[tokio::test]
async fn a_server_that_never_had_keys_is_asked_less_and_less() {
    let guarded = answering(Answer::Status(StatusCode::NOT_FOUND)).await;
    for _ in 0..180 {
        assert_eq!(guarded.check(&good()).await, Err(Refusal::NoKeys));
        later(SECOND).await;
    }
    // After 0, 1, 3, 7, 15, 31, 63 and 123 seconds.
    assert_eq!(guarded.keys.fetches(), 8);
    guarded.keys.answer(Answer::Keys(vec![ours().jwk()]));
    later(MINUTE).await;
    assert!(guarded.check(&good()).await.is_ok());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let evil = KeyServer::answering(Answer::Keys(vec![stranger().jwk()])).await;
    let guarded = answering(Answer::Elsewhere(evil.url())).await;
    let token = stranger()
        .sign(merged(header(), json!({ "kid": "key-x" })).to_string(), claims().to_string());
    assert_eq!(guarded.check(&token).await, Err(Refusal::NoKeys));
    assert_eq!(evil.fetches(), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_lets_nobody_in() {
    // Bound, so that no other test gets the port, and nothing listens on it.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let closed = socket.local_addr().unwrap();
    let settings = crate::guard::GuardSettings {
        jwks_url: format!("http://{closed}/").parse().unwrap(),
        ..super::settings(&KeyServer::start().await)
    };
    let guard = Arc::new(crate::guard::Guard::new(settings).unwrap());
    let guarded = Guarded { guard, keys: KeyServer::start().await };
    let (buffer, _logging) = logged(Format::Human, "warn");
    assert_eq!(guarded.check(&good()).await, Err(Refusal::NoKeys));
    let text = buffer.text().to_lowercase();
    assert!(text.contains("cannot fetch the issuer's signing keys"), "{text}");
    assert!(text.contains("connection refused"), "its cause: {text}");
}
