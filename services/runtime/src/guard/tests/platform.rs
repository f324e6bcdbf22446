//! Behind Cloud Run's front end: what is believed of a token whose signature it removed.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use serde_json::json;

use super::{
    Caller, Guarded, Refusal,
    issuer::{
        CALLER, claims, encode, good, header, lacking, merged, now, signed, stranger, with_claims,
        with_header,
    },
    stripped,
};
use crate::guard::bearer::SERVERLESS_AUTHORIZATION as SERVERLESS;

/// A guard that relies on the front end.
async fn relying() -> Guarded {
    let guarded = Guarded::on_platform().await;
    guarded.guard.verify_front_end(None).await.unwrap();
    guarded
}

fn headers<const N: usize>(pairs: [(HeaderName, &str); N]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, token) in pairs {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        headers.append(name, value);
    }
    headers
}

/// Each row is a test: its name, what refuses it, and the token in `authorization`, alone.
macro_rules! refused {
    ($($name:ident: $refusal:ident, $token:expr;)+) => { $(
        #[tokio::test]
        async fn $name() {
            let guarded = relying().await;
            let token: String = $token;
            assert_eq!(guarded.check(&token).await, Err(Refusal::$refusal), "{token}");
        }
    )+ };
}

refused! {
    stripped_for_another_audience: Audience, stripped(&with_claims(json!({ "aud": "https://worker-abc.a.run.app" })));
    stripped_and_expired: Expired, stripped(&with_claims(json!({ "exp": now() - 60 })));
    stripped_and_issued_later: IssuedLater, stripped(&with_claims(json!({ "iat": now() + 120 })));
    stripped_and_not_valid_yet: NotYet, stripped(&with_claims(json!({ "nbf": now() + 120 })));
    stripped_with_a_long_life: Lifetime, stripped(&with_claims(json!({ "exp": now() + 3_155_760_000 })));
    stripped_without_an_end: Claims, stripped(&signed(&header(), &lacking(claims(), "exp")));
    stripped_of_another_issuer: Issuer, stripped(&with_claims(json!({ "iss": "https://evil.example" })));
    stripped_without_a_subject: Subject, stripped(&with_claims(json!({ "sub": "" })));
    stripped_with_an_unverified_email: Email, stripped(&with_claims(json!({ "email_verified": false })));
    stripped_of_another_caller: Caller, stripped(&with_claims(json!({ "email": "other@project.iam.gserviceaccount.com" })));
    stripped_with_alg_none: Algorithm, stripped(&with_header(json!({ "alg": "none" })));
    stripped_with_crit: Extension, stripped(&with_header(json!({ "crit": ["x"], "x": 1 })));
    stripped_without_a_key_id: Header, stripped(&signed(&lacking(header(), "kid"), &claims()));
    stripped_with_a_fourth_part: Parts, format!("{}.x", stripped(&good()));

    a_strangers_signature: Signature, stranger().sign(header().to_string(), claims().to_string());
    a_strangers_signature_and_key: UnknownKey, stranger().sign(
        merged(header(), json!({ "kid": "key-x" })).to_string(), claims().to_string());
    an_empty_signature: Signature, format!("{}.{}.", encode(header().to_string()), encode(claims().to_string()));
    the_marker_in_lower_case: Encoding, stripped(&good()).replace("REMOVED_BY_GOOGLE", "removed_by_google");
    the_marker_with_more_behind_it: Signature, format!("{}A", stripped(&good()));
    the_marker_cut_short: Signature, stripped(&good()).trim_end_matches("GOOGLE").trim_end_matches('_').to_owned() + "_A";
    the_marker_with_a_blank: Encoding, format!("{} ", stripped(&good()));
    the_marker_encoded: Signature, {
        let token = good();
        format!("{}.{}", token.rsplit_once('.').unwrap().0, encode("SIGNATURE_REMOVED_BY_GOOGLE"))
    };
    the_marker_as_a_payload: Claims, format!("{}.SIGNATURE_REMOVED_BY_GOOGLE.SIGNATURE_REMOVED_BY_GOOGLE", encode(header().to_string()));
}

#[tokio::test]
async fn a_stripped_token_is_believed_and_costs_no_keys() {
    let guarded = relying().await;
    let caller = guarded.check(&stripped(&good())).await.unwrap();
    assert_eq!(caller, Caller { email: CALLER.into(), subject: "1178".into() });
    assert_eq!(guarded.keys.fetches(), 0);
}

#[tokio::test]
async fn a_whole_token_is_verified_in_full() {
    let guarded = relying().await;
    assert!(guarded.check(&good()).await.is_ok());
    assert_eq!(guarded.keys.fetches(), 1);
}

#[tokio::test]
async fn a_stripped_token_beside_the_other_header_is_what_its_caller_wrote() {
    let guarded = relying().await;
    let (whole, stripped) = (good(), stripped(&good()));
    // With the other header there the front end has checked that one, whatever it holds.
    for other in [stripped.as_str(), &whole, "x", ""] {
        let both = headers([(AUTHORIZATION, &stripped), (SERVERLESS, other)]);
        assert_eq!(guarded.check_headers(&both).await, Err(Refusal::Signature), "{other}");
    }
    let mut empty = headers([(AUTHORIZATION, &stripped)]);
    empty.insert(SERVERLESS, HeaderValue::from_static(""));
    assert_eq!(guarded.check_headers(&empty).await, Err(Refusal::Signature));
    // And it is not remembered from a time when it came alone.
    let alone = headers([(AUTHORIZATION, &stripped)]);
    assert!(guarded.check_headers(&alone).await.is_ok());
    assert!(guarded.check_headers(&empty).await.is_err());
}

#[tokio::test]
async fn a_whole_token_beside_the_checked_one_is_let_in() {
    let guarded = relying().await;
    let both = headers([(AUTHORIZATION, &good()), (SERVERLESS, &stripped(&good()))]);
    assert!(guarded.check_headers(&both).await.is_ok());
}

#[tokio::test]
async fn the_other_header_lends_nothing_to_a_bad_one_and_is_not_read_alone() {
    let guarded = relying().await;
    let (whole, stripped) = (good(), stripped(&good()));
    let forged = stranger().sign(header().to_string(), claims().to_string());
    for other in [&whole, &stripped] {
        let beside = headers([(AUTHORIZATION, &forged), (SERVERLESS, other)]);
        assert_eq!(guarded.check_headers(&beside).await, Err(Refusal::Signature));
        let alone = headers([(SERVERLESS, other)]);
        assert_eq!(guarded.check_headers(&alone).await, Err(Refusal::Missing));
    }
}

#[tokio::test]
async fn a_stripped_and_a_whole_token_in_two_headers_of_one_name_are_refused() {
    let guarded = relying().await;
    let (whole, stripped) = (good(), stripped(&good()));
    for pair in [[&whole, &stripped], [&stripped, &whole], [&stripped, &stripped]] {
        let two = headers(pair.map(|token| (AUTHORIZATION, token.as_str())));
        assert_eq!(guarded.check_headers(&two).await, Err(Refusal::Several));
    }
}

#[tokio::test]
async fn in_verify_mode_no_proof_makes_a_stripped_token_believed() {
    let guarded = Guarded::start().await;
    guarded.guard.verify_front_end(None).await.unwrap();
    assert_eq!(guarded.check(&stripped(&good())).await, Err(Refusal::Stripped));
}
