//! Which keys of a set are believed.

use serde_json::{Value, json};

use super::{
    Guarded, Refusal,
    issuer::{encode, good, lacking, merged, ours, second, stranger},
    keyserver::{Answer, KeyServer},
};

async fn check_with(keys: Vec<Value>) -> Result<super::Caller, Refusal> {
    let guarded = Guarded::with(KeyServer::answering(Answer::Keys(keys)).await);
    guarded.check(&good()).await
}

fn but(fields: Value) -> Value {
    merged(ours().jwk(), fields)
}

fn modulus(change: impl FnOnce(&mut Vec<u8>)) -> Value {
    let mut modulus = ours().modulus();
    change(&mut modulus);
    but(json!({ "n": encode(modulus) }))
}

/// Each row is a test: a key that is left out, although its bytes are those that the token was signed with.
macro_rules! left_out {
    ($($name:ident: $jwk:expr;)+) => { $(
        #[tokio::test]
        async fn $name() {
            assert_eq!(check_with(vec![$jwk, second().jwk()]).await, Err(Refusal::UnknownKey));
        }
    )+ };
}

left_out! {
    a_key_to_encrypt_with: but(json!({ "use": "enc" }));
    a_key_whose_use_is_unknown: but(json!({ "use": "other" }));
    a_key_whose_use_is_no_text: but(json!({ "use": 1 }));
    a_key_whose_operations_are_to_encrypt: but(json!({ "key_ops": ["encrypt"] }));
    a_key_whose_operations_are_to_sign: but(json!({ "key_ops": ["sign"] }));
    a_key_without_operations: but(json!({ "key_ops": [] }));
    a_key_for_another_algorithm: but(json!({ "alg": "PS256" }));
    a_key_for_rs512: but(json!({ "alg": "RS512" }));
    a_key_of_another_type: but(json!({ "kty": "EC" }));
    a_key_of_a_type_in_lower_case: but(json!({ "kty": "rsa" }));
    a_secret: json!({ "kty": "oct", "kid": "key-a", "k": encode(ours().modulus()), "alg": "HS256" });
    a_key_with_1024_bits: modulus(|modulus| modulus.truncate(128));
    a_key_with_2040_bits: modulus(|modulus| modulus.truncate(255));
    a_key_with_2047_bits: modulus(|modulus| modulus[0] &= 0x7f);
    a_key_with_16384_bits: modulus(|modulus| modulus.extend([0xff; 1792]));
    a_key_with_an_even_modulus: modulus(|modulus| modulus[255] &= 0xfe);
    a_key_with_a_leading_zero: modulus(|modulus| modulus.insert(0, 0));
    a_key_with_an_empty_modulus: but(json!({ "n": "" }));
    a_key_with_padding: but(json!({ "n": format!("{}==", encode(ours().modulus())) }));
    a_key_with_exponent_one: but(json!({ "e": encode([1]) }));
    a_key_with_exponent_two: but(json!({ "e": encode([2]) }));
    a_key_with_exponent_three: but(json!({ "e": encode([3]) }));
    a_key_with_a_huge_exponent: but(json!({ "e": encode([0xff; 256]) }));
    a_key_with_an_empty_exponent: but(json!({ "e": "" }));
    a_key_without_an_id: lacking(ours().jwk(), "kid");
    a_key_whose_id_is_a_number: but(json!({ "kid": 1 }));
    a_key_that_is_no_object: json!("key-a");
}

#[tokio::test]
async fn two_keys_of_one_id_are_both_left_out() {
    let twin = merged(stranger().jwk(), json!({ "kid": "key-a" }));
    for keys in [
        vec![ours().jwk(), twin.clone(), second().jwk()],
        vec![twin.clone(), ours().jwk(), second().jwk()],
        vec![ours().jwk(), ours().jwk(), second().jwk()],
        vec![ours().jwk(), json!({ "kty": "oct", "kid": "key-a", "k": "eA" }), second().jwk()],
    ] {
        assert_eq!(check_with(keys).await, Err(Refusal::UnknownKey));
    }
}

#[tokio::test]
async fn a_bad_key_does_not_spoil_the_good_ones() {
    let keys =
        vec![json!(null), json!({}), json!({ "kty": "oct", "kid": "s", "k": "eA" }), ours().jwk()];
    assert!(check_with(keys).await.is_ok());
}

#[tokio::test]
async fn a_key_need_not_say_what_it_is_for() {
    assert!(check_with(vec![lacking(lacking(ours().jwk(), "alg"), "use")]).await.is_ok());
    assert!(check_with(vec![but(json!({ "key_ops": ["verify"] }))]).await.is_ok());
}
