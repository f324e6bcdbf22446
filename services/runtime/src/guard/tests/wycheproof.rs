//! All vectors of Project Wycheproof for signed tokens, each under the key that it is meant for; those for keys, and for encrypted
//! tokens.

use axum::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::Value;

use super::{
    Guarded, Refusal,
    issuer::ours,
    keyserver::{Answer, KeyServer},
};

const SIGNED: &str = include_str!("../../../tests/data/wycheproof_jws.tsv");
const KEYS: &str = include_str!("../../../tests/data/wycheproof_jwk.tsv");
const ENCRYPTED: &str = include_str!("../../../tests/data/wycheproof_jwe.tsv");

struct Group {
    key: Value,
    vectors: Vec<Vector>,
}

struct Vector {
    number: u32,
    valid: bool,
    token: String,
}

fn groups(text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for line in text.lines() {
        match line.split_once('\t').unwrap() {
            ("key" | "keys", key) => {
                groups.push(Group { key: serde_json::from_str(key).unwrap(), vectors: Vec::new() });
            }
            _ => groups.last_mut().unwrap().vectors.push(vector(line)),
        }
    }
    groups
}

fn vector(line: &str) -> Vector {
    let [number, result, token] = *line.split('\t').collect::<Vec<_>>() else {
        panic!("{line}");
    };
    Vector {
        number: number.parse().unwrap(),
        valid: result == "valid",
        token: serde_json::from_str(token).unwrap(),
    }
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

/// What is said of each vector of a group, under the group's key or keys and a good one beside.
async fn refusals(group: Group) -> Vec<(Vector, Refusal)> {
    let mut keys = match group.key {
        Value::Array(keys) => keys,
        key => vec![key],
    };
    keys.push(ours().jwk());
    let guarded = Guarded::with(KeyServer::answering(Answer::Keys(keys)).await);
    let mut refusals = Vec::new();
    for vector in group.vectors {
        let refusal = check(&guarded, &vector.token).await.unwrap_err();
        refusals.push((vector, refusal));
    }
    refusals
}

/// The two others are RFC 7520's examples, whose key ids are emails.
fn is_rs256(group: &Group) -> bool {
    group.key["alg"] == "RS256" && group.key["kid"] != "bilbo.baggins@hobbiton.example"
}

/// Tokens that say RS256 under a key that says so too. A good signature leads to the payload, which is never that of an
/// ID token; a bad one does not.
#[tokio::test]
async fn rs256_signatures_are_judged_as_marked() {
    let mut judged = 0;
    for group in groups(SIGNED).into_iter().filter(is_rs256) {
        for (Vector { number, valid, .. }, refusal) in refusals(group).await {
            assert_eq!(refusal == Refusal::Claims, valid, "tcId {number}: {refusal}");
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
    for group in groups(SIGNED).into_iter().filter(|group| !is_rs256(group)) {
        for (Vector { number, .. }, refusal) in refusals(group).await {
            assert_ne!(refusal, Refusal::Claims, "tcId {number}");
            refused += 1;
        }
    }
    assert_eq!(refused, 170);
}

/// Poor keys, and keys for something else: of what they signed nothing comes as far as the payload, but for the one RSA key that is
/// as it should be.
#[tokio::test]
async fn keys_are_judged_as_marked() {
    let mut judged = 0;
    for group in groups(KEYS) {
        let keys = group.key.as_array().unwrap();
        let sound = keys.iter().any(|key| key["alg"] == "RS256");
        for (Vector { number, valid, .. }, refusal) in refusals(group).await {
            let reached = refusal == Refusal::Claims;
            assert_eq!(reached, valid && sound, "tcId {number}: {refusal}");
            judged += 1;
        }
    }
    assert_eq!(judged, 25);
}

/// Whether marked as valid or not: an ID token is not encrypted.
#[tokio::test]
async fn no_encrypted_token_is_taken_for_a_signed_one() {
    let guarded = Guarded::start().await;
    let mut refused = 0;
    for vector in ENCRYPTED.lines().map(vector) {
        let refusal = check(&guarded, &vector.token).await.unwrap_err();
        let early = [Refusal::Parts, Refusal::Encoding, Refusal::TooLong];
        assert!(early.contains(&refusal), "tcId {}: {refusal}", vector.number);
        refused += 1;
    }
    assert_eq!(refused, 139);
    assert_eq!(guarded.keys.fetches(), 0);
}
