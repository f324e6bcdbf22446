//! All signature vectors of Project Wycheproof, each under the key that it is meant for.

use axum::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::Value;

use super::{
    Guarded, Refusal,
    issuer::ours,
    keyserver::{Answer, KeyServer},
};

const VECTORS: &str = include_str!("../../../tests/data/wycheproof_jws.tsv");

struct Group {
    key: Value,
    vectors: Vec<Vector>,
}

struct Vector {
    number: u32,
    valid: bool,
    token: String,
}

fn groups() -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for line in VECTORS.lines() {
        match *line.split('\t').collect::<Vec<_>>() {
            ["key", key] => groups.push(Group {
                key: serde_json::from_str(key).unwrap(),
                vectors: Vec::new(),
            }),
            [number, result, token] => groups.last_mut().unwrap().vectors.push(Vector {
                number: number.parse().unwrap(),
                valid: result == "valid",
                token: serde_json::from_str(token).unwrap(),
            }),
            _ => panic!("{line}"),
        }
    }
    groups
}

/// What is said of a token that cannot even be a header.
async fn check(guarded: &Guarded, token: &str) -> Result<(), Refusal> {
    let mut headers = HeaderMap::new();
    let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}")) else {
        return Err(Refusal::Encoding);
    };
    headers.insert(AUTHORIZATION, value);
    guarded.check_headers(&headers).await.map(drop)
}

/// Tokens that say RS256 under a key that says so too. A good signature leads to the payload, which is never that of an
/// ID token; a bad one does not.
#[tokio::test]
async fn rs256_signatures_are_judged_as_marked() {
    let mut judged = 0;
    for group in groups() {
        // The two others are RFC 7520's examples, whose key ids are emails.
        if group.key["alg"] != "RS256" || group.key["kid"] == "bilbo.baggins@hobbiton.example" {
            continue;
        }
        let keys = KeyServer::answering(Answer::Keys(vec![group.key, ours().jwk()])).await;
        let guarded = Guarded::with(keys);
        for vector in group.vectors {
            let refusal = check(&guarded, &vector.token).await.unwrap_err();
            assert_eq!(
                refusal == Refusal::Claims,
                vector.valid,
                "tcId {}: {refusal}",
                vector.number
            );
            judged += 1;
        }
    }
    assert_eq!(judged, 231);
}

/// Whatever the algorithm, and whether marked as valid or not: no vector is an ID token, and a key for another
/// algorithm or another use is no key at all.
#[tokio::test]
async fn no_other_signature_comes_as_far_as_the_payload() {
    let mut refused = 0;
    for group in groups() {
        if group.key["alg"] == "RS256" && group.key["kid"] != "bilbo.baggins@hobbiton.example" {
            continue;
        }
        let keys = KeyServer::answering(Answer::Keys(vec![group.key, ours().jwk()])).await;
        let guarded = Guarded::with(keys);
        for vector in group.vectors {
            let refusal = check(&guarded, &vector.token).await.unwrap_err();
            let number = vector.number;
            assert_ne!(refusal, Refusal::Claims, "tcId {number}");
            refused += 1;
        }
    }
    assert_eq!(refused, 170);
}
