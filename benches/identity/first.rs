//! A token that the guard meets for the first time, against `jsonwebtoken` alone with the same key and claims.

use std::time::Instant;

use brigade_emulator::identity::ISSUER;
use http::HeaderMap;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::JwkSet};
use serde::Deserialize;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::{
    Figure,
    google::{AUDIENCE, CALLER, Google, bearer},
    rounds::{Scale, nanos_each, paired},
};

/// As many as the guard remembers, so that no round makes it forget.
const TOKENS: usize = 1_000;

/// What anybody would read of an ID token.
#[derive(Deserialize)]
struct Claims {
    email: String,
    email_verified: bool,
}

pub(crate) fn figure(scale: &Scale, runtime: &Runtime, google: &Google) -> Figure {
    let count = TOKENS.min(scale.calls);
    let tokens: Vec<String> = (0..count)
        .map(|number| {
            let mut claims = google.issuer().claims(CALLER, AUDIENCE);
            claims["jti"] = number.into();
            google.issuer().sign(&claims, &json!({}))
        })
        .collect();
    let headers: Vec<HeaderMap> = tokens.iter().map(|token| bearer(token)).collect();
    let jwks: JwkSet = serde_json::from_value(google.issuer().jwks()).unwrap();
    let key = DecodingKey::from_jwk(&jwks.keys[0]).unwrap();
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&[AUDIENCE]);
    rules.set_issuer(&[ISSUER]);
    let pair = paired(
        scale.rounds,
        || {
            // A guard that has its keys, and has met none of these tokens.
            let guard = runtime.block_on(google.guard());
            runtime.block_on(async {
                let began = Instant::now();
                for headers in &headers {
                    guard.check(headers).await.unwrap();
                }
                nanos_each(began.elapsed(), count)
            })
        },
        || {
            let began = Instant::now();
            for token in &tokens {
                let claims = decode::<Claims>(token, &key, &rules).unwrap().claims;
                assert!(claims.email_verified && claims.email == CALLER);
            }
            nanos_each(began.elapsed(), count)
        },
    );
    let (ours, bare) = pair.medians();
    println!("first time: {ours:.0} ns a token, jsonwebtoken alone {bare:.0} ns");
    let ratio = pair.ratio();
    Figure {
        what: "a token met for the first time, to jsonwebtoken's bare decode",
        measured: format!("{ratio:.2} × {:.1} µs", bare / 1_000.0),
        goal: "≤ 1.2 ×",
        met: ratio <= 1.2,
    }
}
