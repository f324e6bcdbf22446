//! Tokens that were checked once.

use serde_json::json;

use axum::http::{HeaderMap, header::AUTHORIZATION};

use super::{
    Caller, Guarded, Refusal,
    issuer::{CALLER, good, now, with_claims},
    keyserver::{Answer, MAX_AGE, later},
};
use crate::guard::{
    cache::{MAX_TOKENS, TokenCache},
    traced::Admitted,
    verify::Lookup,
};

fn caller(number: i64) -> Caller {
    Caller { email: CALLER.into(), subject: number.to_string().into() }
}

fn admitted(number: i64) -> Admitted {
    Admitted::new(caller(number))
}

/// Who this token belongs to, as far as is remembered.
fn remembered(verified: &TokenCache, token: &str, now: i64) -> Option<Caller> {
    let admitted = verified.get(token, now, |_| true)?;
    Some(admitted.caller)
}

#[tokio::test]
async fn a_token_is_let_in_again_and_again() {
    let guarded = Guarded::start().await;
    let token = good();
    let first = guarded.check(&token).await.unwrap();
    for _ in 0..10_000 {
        assert_eq!(guarded.check(&token).await.as_ref(), Ok(&first));
    }
}

#[tokio::test]
async fn a_remembered_token_is_decided_on_at_once_for_as_long_as_the_keys_are_fresh() {
    let guarded = Guarded::start().await;
    let token = good();
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    let lookup = || match guarded.guard.lookup(&headers) {
        Lookup::Hit(decision) => decision.unwrap().is_some(),
        Lookup::Miss(_) => false,
    };
    assert!(!lookup(), "it was not met yet");
    guarded.check(&token).await.unwrap();
    assert!(lookup());
    guarded.keys.answer(Answer::Nothing);
    later(MAX_AGE * 9 / 10).await;
    assert!(lookup());
    later(MAX_AGE / 5).await;
    assert!(!lookup(), "its key may have been withdrawn");
}

#[tokio::test]
async fn a_refused_token_is_refused_again() {
    let guarded = Guarded::start().await;
    let token = with_claims(json!({ "exp": now() - 60 }));
    for _ in 0..3 {
        assert_eq!(guarded.check(&token).await, Err(Refusal::Expired));
    }
}

#[test]
fn a_remembered_token_ends_when_it_would_have_ended() {
    let verified = TokenCache::default();
    verified.put("token", "kid".to_owned(), admitted(1), 100, 0);
    assert_eq!(remembered(&verified, "token", 99), Some(caller(1)));
    assert_eq!(remembered(&verified, "token", 100), None);
    assert_eq!(remembered(&verified, "token", i64::MAX), None);
}

#[test]
fn a_remembered_token_is_worth_no_more_than_its_key() {
    let verified = TokenCache::default();
    verified.put("token", "kid".to_owned(), admitted(1), 100, 0);
    assert!(verified.get("token", 0, |kid| kid == "kid").is_some());
    assert!(verified.get("token", 0, |kid| kid == "other").is_none());
}

#[test]
fn another_token_is_not_the_remembered_one() {
    let verified = TokenCache::default();
    verified.put("token", "kid".to_owned(), admitted(1), 100, 0);
    assert_eq!(remembered(&verified, "toker", 0), None);
}

#[test]
fn what_is_remembered_is_bounded_and_the_soonest_to_end_makes_room() {
    let verified = TokenCache::default();
    let count = i64::try_from(MAX_TOKENS).unwrap();
    for number in 0..count * 3 {
        verified.put(&number.to_string(), "kid".to_owned(), admitted(number), 1_000 + number, 0);
    }
    let held =
        (0..count * 3).filter(|number| verified.get(&number.to_string(), 0, |_| true).is_some());
    assert_eq!(held.collect::<Vec<_>>(), (count * 2..count * 3).collect::<Vec<_>>());
}

#[test]
fn a_token_that_ends_as_a_remembered_one_is_not_it() {
    let verified = TokenCache::default();
    let tail = "the-end-of-a-signature-of-at-least-32-characters";
    let (known, other) = (format!("a.b.{tail}"), format!("a.c.{tail}"));
    verified.put(&known, "key-a".into(), admitted(1), 100, 0);
    assert!(verified.get(&known, 0, |_| true).is_some());
    assert!(verified.get(&other, 0, |_| true).is_none());
    assert_eq!(format!("{verified:?}"), "TokenCache { tokens: 1 }");
}

#[test]
fn tokens_that_have_ended_make_room_before_any_other() {
    let verified = TokenCache::default();
    let put = |number: usize, until, now| {
        let admitted = admitted(i64::try_from(number).unwrap());
        verified.put(&number.to_string(), "kid".into(), admitted, until, now);
    };
    for number in 0..MAX_TOKENS {
        put(number, if number % 2 == 0 { 100 } else { 101 }, 0);
    }
    put(MAX_TOKENS, 1_000, 100);
    assert_eq!(verified.len(), MAX_TOKENS / 2 + 1);
    assert!(remembered(&verified, "1", 100).is_some());
    // Nothing is looked through while there is room.
    put(MAX_TOKENS + 1, 1_000, 101);
    assert_eq!(verified.len(), MAX_TOKENS / 2 + 2);
}
