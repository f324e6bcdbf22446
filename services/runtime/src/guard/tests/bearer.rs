//! Where a token may come from, and in what shape.

use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AUTHORIZATION, COOKIE},
};

use super::{
    Guarded, Refusal,
    issuer::{encode, good, with_header},
    refused,
};
use crate::guard::bearer::{MAX_TOKEN, SERVERLESS_AUTHORIZATION as SERVERLESS, bearer};

fn headers<const N: usize>(pairs: [(HeaderName, String); N]) -> HeaderMap {
    let pairs = pairs.map(|(name, value)| (name, HeaderValue::from_str(&value).unwrap()));
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, value);
    }
    headers
}

fn of(token: &str) -> String {
    format!("Bearer {token}")
}

/// Each row is a test: its name, what refuses it, and the value of `authorization`.
macro_rules! refused_header {
    ($($name:ident: $refusal:ident, $value:expr;)+) => { $(
        #[tokio::test]
        async fn $name() {
            let value: String = $value;
            assert_eq!(Guarded::start().await.check_header(&value).await, Err(Refusal::$refusal), "{value}");
        }
    )+ };
}

refused_header! {
    the_scheme_alone_is_refused: Scheme, "Bearer".into();
    the_scheme_and_a_blank_is_refused: Scheme, "Bearer ".into();
    an_empty_header_is_refused: Scheme, String::new();
    two_blanks_are_refused: Encoding, format!("Bearer  {}", good());
    a_tab_is_refused: Scheme, format!("Bearer\t{}", good());
    a_token_without_a_scheme_is_refused: Scheme, good();
    a_scheme_without_a_blank_is_refused: Scheme, format!("Bearer{}", good());
    basic_is_refused: Scheme, "Basic dXNlcjpwYXNz".into();
    basic_with_a_token_is_refused: Scheme, format!("Basic {}", good());
    another_scheme_as_long_is_refused: Scheme, format!("Digest {}", good());
    words_after_the_token_are_refused: Encoding, format!("Bearer {} x", good());
    a_blank_after_the_token_is_refused: Encoding, format!("Bearer {} ", good());
    a_list_of_tokens_is_refused: Parts, format!("Bearer {0},{0}", good());
    a_list_of_challenges_is_refused: Parts, format!("Bearer {0}, Bearer {0}", good());
    a_quoted_token_is_refused: Encoding, format!("Bearer \"{}\"", good());
}

#[tokio::test]
async fn the_scheme_is_read_in_any_case() {
    let guarded = Guarded::start().await;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert!(guarded.check_header(&format!("{scheme} {}", good())).await.is_ok(), "{scheme}");
    }
}

#[tokio::test]
async fn no_header_is_refused() {
    let refusal = Guarded::start().await.check_headers(&HeaderMap::new()).await;
    assert_eq!(refusal, Err(Refusal::Missing));
}

#[tokio::test]
async fn two_headers_are_refused_whatever_they_hold() {
    let guarded = Guarded::start().await;
    let (good, bad) = (of(&good()), of("bad"));
    for (first, second) in [(&good, &bad), (&bad, &good), (&good, &good)] {
        let two = headers([(AUTHORIZATION, first.clone()), (AUTHORIZATION, second.clone())]);
        assert_eq!(guarded.check_headers(&two).await, Err(Refusal::Several));
    }
}

#[tokio::test]
async fn the_other_header_is_never_read() {
    let guarded = Guarded::start().await;
    let alone = headers([(SERVERLESS, of(&good()))]);
    assert_eq!(guarded.check_headers(&alone).await, Err(Refusal::Missing));
    let beside_a_bad_one = headers([(AUTHORIZATION, of("a.b.c")), (SERVERLESS, of(&good()))]);
    assert!(guarded.check_headers(&beside_a_bad_one).await.is_err());
    let beside_a_good_one = headers([(AUTHORIZATION, of(&good())), (SERVERLESS, of("bad"))]);
    assert!(guarded.check_headers(&beside_a_good_one).await.is_ok());
}

#[tokio::test]
async fn a_removed_signature_is_refused_in_either_header() {
    let guarded = Guarded::start().await;
    let token = good();
    let (signed, _) = token.rsplit_once('.').unwrap();
    let removed = of(&format!("{signed}.SIGNATURE_REMOVED_BY_GOOGLE"));
    let first = headers([(AUTHORIZATION, removed.clone())]);
    assert_eq!(guarded.check_headers(&first).await, Err(Refusal::Stripped));
    assert_eq!(guarded.keys.fetches(), 0);
    let other = headers([(SERVERLESS, removed.clone())]);
    assert_eq!(guarded.check_headers(&other).await, Err(Refusal::Missing));
    let both = headers([(AUTHORIZATION, removed.clone()), (SERVERLESS, removed)]);
    assert_eq!(guarded.check_headers(&both).await, Err(Refusal::Signature));
}

#[tokio::test]
async fn a_token_elsewhere_is_not_found() {
    let guarded = Guarded::start().await;
    for name in
        ["authorization-bin", "proxy-authorization", "x-goog-iap-jwt-assertion", "x-authorization"]
    {
        let elsewhere = headers([(HeaderName::from_static(name), of(&good()))]);
        assert_eq!(guarded.check_headers(&elsewhere).await, Err(Refusal::Missing), "{name}");
    }
    let cookie = headers([(COOKIE, format!("access_token={}", good()))]);
    assert_eq!(guarded.check_headers(&cookie).await, Err(Refusal::Missing));
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    for bytes in [&b"Bearer \xff.\xff.\xff"[..], b"Bear\xc3\xa9r a.b.c", b"Bearer \xc3\xa9.b.c"] {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(bytes).unwrap());
        let refused = bearer(&headers).map(|token| crate::guard::jws::parse(token).is_err());
        assert!(!matches!(refused, Ok(false)), "{bytes:?}");
    }
}

#[test]
fn the_longest_token_has_16_kib() {
    let refusal = |length: usize| {
        let headers = headers([(AUTHORIZATION, of(&"x".repeat(length)))]);
        bearer(&headers).err()
    };
    assert_eq!(refusal(MAX_TOKEN), None);
    assert_eq!(refusal(MAX_TOKEN + 1), Some(Refusal::TooLong));
    assert_eq!(refusal(1024 * 1024), Some(Refusal::TooLong));
}

refused! {
    a_signed_token_that_is_too_long_is_refused: TooLong, with_header(serde_json::json!({ "pad": "x".repeat(16 * 1024) }));
    an_access_token_is_refused: Parts, "ya29.a0AfB_byC-an-access-token".into();
    an_opaque_token_is_refused: Parts, encode("opaque");
}
