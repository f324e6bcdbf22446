//! What holds for any token, not only for those that we thought of.

use std::sync::OnceLock;

use axum::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::{
    Guarded, Refusal,
    issuer::{claims, encode, good, header, signed},
    stripped,
};
use crate::guard::{bearer::bearer, claims::Claims, jws};

/// Guards whose keys are there, and a token that each lets in.
struct Warm {
    runtime: Runtime,
    verify: Guarded,
    platform: Guarded,
    token: String,
}

fn warm() -> &'static Warm {
    static WARM: OnceLock<Warm> = OnceLock::new();
    WARM.get_or_init(|| {
        let runtime = Runtime::new().unwrap();
        let token = good();
        let (verify, platform) = runtime.block_on(async {
            let verify = Guarded::start().await;
            assert!(verify.check(&token).await.is_ok());
            let platform = Guarded::on_platform().await;
            platform.guard.verify_front_end(None).await.unwrap();
            assert!(platform.check(&stripped(&token)).await.is_ok());
            (verify, platform)
        });
        Warm { runtime, verify, platform, token }
    })
}

impl Warm {
    /// What both guards say to this value of `authorization`.
    fn refusals(&self, value: &[u8]) -> Option<[Refusal; 2]> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value).ok()?);
        self.runtime.block_on(async {
            Some([
                self.verify.check_headers(&headers).await.unwrap_err(),
                self.platform.check_headers(&headers).await.unwrap_err(),
            ])
        })
    }
}

/// JSON of any shape, some of it with the names that a token has.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,20}".prop_map(Into::into),
    ];
    let name = prop_oneof![
        "[a-z]{1,8}",
        proptest::sample::select(vec![
            "alg",
            "kid",
            "typ",
            "crit",
            "iss",
            "aud",
            "sub",
            "exp",
            "iat",
            "nbf",
            "email",
            "email_verified",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 32, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            proptest::collection::vec((name.clone(), inner), 0..12)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn any_mutation_of_one_byte_of_a_valid_token_is_refused(at: prop::sample::Index, byte: u8) {
        let warm = warm();
        let mut token = warm.token.clone().into_bytes();
        let at = at.index(token.len());
        prop_assume!(token[at] != byte);
        token[at] = byte;
        // What is no header value never comes to the guard.
        warm.refusals(&[b"Bearer ", &token[..]].concat());
    }

    #[test]
    fn any_byte_more_or_less_in_a_valid_token_is_refused(at: prop::sample::Index, byte: Option<u8>) {
        let warm = warm();
        let mut token = warm.token.clone().into_bytes();
        let at = at.index(token.len());
        match byte {
            Some(byte) => token.insert(at, byte),
            None => drop(token.remove(at)),
        }
        warm.refusals(&[b"Bearer ", &token[..]].concat());
    }

    #[test]
    fn any_mutation_of_a_stripped_tokens_marker_is_refused(at in 0_usize..27, byte: u8) {
        let warm = warm();
        let mut token = stripped(&warm.token).into_bytes();
        let at = token.len() - 27 + at;
        prop_assume!(token[at] != byte);
        token[at] = byte;
        warm.refusals(&[b"Bearer ", &token[..]].concat());
    }

    #[test]
    fn any_header_value_is_refused_and_breaks_nothing(value: Vec<u8>) {
        warm().refusals(&value);
    }

    #[test]
    fn any_text_is_taken_apart_or_refused(token in ".{0,200}") {
        let _ = jws::parse(&token);
    }

    #[test]
    fn any_three_parts_are_taken_apart_or_refused(header: Vec<u8>, payload: Vec<u8>, signature: Vec<u8>) {
        let token = format!("{}.{}.{}", encode(header), encode(payload), encode(signature));
        let _ = jws::parse(&token);
        warm().refusals(format!("Bearer {token}").as_bytes());
    }

    #[test]
    fn any_json_for_a_header_or_claims_is_refused(of_header in json(), of_claims in json()) {
        let warm = warm();
        for token in [
            signed(&of_header, &claims()),
            signed(&header(), &of_claims),
            stripped(&signed(&header(), &of_claims)),
            stripped(&signed(&of_header, &of_claims)),
        ] {
            warm.refusals(format!("Bearer {token}").as_bytes());
        }
    }

    #[test]
    fn any_bytes_are_claims_or_not(payload: Vec<u8>) {
        let _ = Claims::parse(&payload);
    }

    #[test]
    fn any_scheme_and_spacing_but_one_is_refused(value in "[Bb][Ee][Aa][Rr][Ee][Rr][ \t]{0,3}[a-z.]{0,5}") {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(AUTHORIZATION, value);
        }
        let rest = &value["bearer".len()..];
        let good = rest.len() > 1 && rest.starts_with(' ');
        prop_assert_eq!(bearer(&headers).is_ok(), good);
    }
}
