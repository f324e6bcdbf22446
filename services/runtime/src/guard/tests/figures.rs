//! The guard under load: how many fetches, how many refused, how much kept.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Guarded, Refusal,
    issuer::{claims, encode, good, header, merged, ours, with_header},
    stripped,
};
use crate::guard::cache::MAX_TOKENS;

/// Another good token of the first key.
fn another(number: usize) -> String {
    ours().sign(header().to_string(), merged(claims(), json!({ "jti": number })).to_string())
}

/// How many of these are refused, all of them asked at once.
async fn refused(guarded: &Arc<Guarded>, tokens: impl IntoIterator<Item = Arc<str>>) -> usize {
    let mut calls = JoinSet::new();
    for token in tokens {
        let guarded = guarded.clone();
        calls.spawn(async move { guarded.check(&token).await });
    }
    let outcomes = calls.join_all().await;
    outcomes.iter().filter(|outcome| outcome.is_err()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_first_calls_on_four_threads_fetch_once_and_are_all_let_in() {
    let guarded = Arc::new(Guarded::start().await);
    let tokens: Vec<Arc<str>> = (0..8).map(|number| another(number).into()).collect();
    let thousand = (0..1_000).map(|number| tokens[number % tokens.len()].clone());
    assert_eq!(refused(&guarded, thousand).await, 0);
    assert_eq!(guarded.keys.fetches(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_thousand_calls_on_warm_keys_are_all_let_in_and_fetch_nothing() {
    let guarded = Arc::new(Guarded::start().await);
    assert!(guarded.check(&good()).await.is_ok());
    let tokens: Vec<Arc<str>> = (0..50).map(|number| another(number).into()).collect();
    let many = (0..20_000).map(|number| tokens[number % tokens.len()].clone());
    assert_eq!(refused(&guarded, many).await, 0);
    assert_eq!(guarded.keys.fetches(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_random_key_ids_at_once_cost_one_fetch_and_refuse_nobody_else() {
    let guarded = Arc::new(Guarded::start().await);
    assert!(guarded.check(&good()).await.is_ok());
    let valid: Vec<Arc<str>> = (0..20).map(|number| another(number).into()).collect();
    let mut calls = JoinSet::new();
    for number in 0..10_000 {
        let guarded = guarded.clone();
        // Signed once: an unknown key is refused before its signature is checked.
        let kid = json!({ "kid": format!("random-{number}") });
        let (_, rest) = valid[0].split_once('.').unwrap();
        let header = encode(merged(header(), kid).to_string());
        let unknown = format!("{header}.{rest}");
        calls.spawn(async move { (false, guarded.check(&unknown).await.err()) });
    }
    for number in 0..1_000 {
        let (guarded, token) = (guarded.clone(), valid[number % valid.len()].clone());
        calls.spawn(async move { (true, guarded.check(&token).await.err()) });
    }
    for (good, refusal) in calls.join_all().await {
        let expected = (!good).then_some(Refusal::UnknownKey);
        assert_eq!(refusal, expected, "good: {good}");
    }
    // The first call's. The next may come a minute after it.
    assert_eq!(guarded.keys.fetches(), 1);
}

#[tokio::test]
async fn what_a_guard_keeps_of_many_good_and_bad_tokens_is_bounded() {
    let guarded = Guarded::start().await;
    let (signed, _) = good().rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    for number in 0..4_000_u32 {
        let bad = format!("{signed}.{}", encode(number.to_be_bytes()));
        assert_eq!(guarded.check(&bad).await, Err(Refusal::Signature));
    }
    assert_eq!(guarded.guard.remembers(), 0, "what is refused is not kept");
    for number in 0..MAX_TOKENS + 100 {
        assert!(guarded.check(&another(number)).await.is_ok());
    }
    assert_eq!(guarded.guard.remembers(), MAX_TOKENS);
}

#[tokio::test]
async fn a_stripped_token_is_never_kept() {
    let guarded = Guarded::on_platform().await;
    guarded.guard.verify_front_end(None).await.unwrap();
    for _ in 0..10 {
        assert!(guarded.check(&stripped(&good())).await.is_ok());
    }
    assert_eq!(guarded.guard.remembers(), 0);
}

#[tokio::test]
async fn a_token_of_a_mebibyte_is_refused_for_its_length_alone() {
    let guarded = Guarded::start().await;
    let mut headers = axum::http::HeaderMap::new();
    let token = "x".repeat(1024 * 1024);
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    assert_eq!(guarded.check_headers(&headers).await, Err(Refusal::TooLong));
    assert_eq!(guarded.keys.fetches(), 0, "no key was asked for");
}

#[tokio::test]
async fn a_token_nested_as_deep_as_its_size_allows_is_refused() {
    let guarded = Guarded::start().await;
    let deep = with_header(json!({ "x": 1 })).len();
    assert!(deep < 16 * 1024);
    for open in ["[", "{\"a\":"] {
        let nested = encode(open.repeat(11_000 / open.len()));
        for token in [
            format!("{nested}.e30.AAAA"),
            format!("{}.{nested}.AAAA", encode(header().to_string())),
        ] {
            assert!(guarded.check(&token).await.is_err());
        }
    }
}

/// A clock that is set while the service runs.
mod a_clock_that_steps {
    use crate::guard::{Caller, cache::TokenCache, traced::Admitted};

    const NOON: i64 = 1_790_000_000;

    fn admitted() -> Admitted {
        Admitted::new(Caller { email: "a@b".into(), subject: "1".into() })
    }

    fn remembered() -> TokenCache {
        let verified = TokenCache::default();
        verified.put("token", "kid".to_owned(), admitted(), NOON + 60, NOON);
        verified
    }

    #[test]
    fn an_hour_ahead_ends_what_is_remembered() {
        assert!(remembered().get("token", NOON + 3_600, |_| true).is_none());
    }

    #[test]
    fn an_hour_back_breaks_nothing() {
        assert!(remembered().get("token", NOON - 3_600, |_| true).is_some());
    }

    #[test]
    fn to_the_ends_of_time_breaks_nothing() {
        for now in [i64::MIN, -1, 0, i64::MAX] {
            let verified = remembered();
            let _ = verified.get("token", now, |_| true);
            for until in [i64::MIN, 0, i64::MAX] {
                verified.put("other", String::new(), admitted(), until, now);
            }
        }
    }
}
