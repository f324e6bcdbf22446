//! Signatures that are nearly right.

use serde_json::{Value, json};

use super::{
    Guarded, Refusal,
    issuer::{claims, encode, good, header, merged, ours, stranger},
    refused,
};

/// A good token with another signature.
fn with(signature: &[u8]) -> String {
    let token = good();
    let (signed, _) = token.rsplit_once('.').unwrap();
    format!("{signed}.{}", encode(signature))
}

/// A good token with its signature changed.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let signed = format!("{}.{}", encode(header().to_string()), encode(claims().to_string()));
    let mut signature =
        ours().signature(&aws_lc_rs::signature::RSA_PKCS1_SHA256, signed.as_bytes());
    change(&mut signature);
    format!("{signed}.{}", encode(signature))
}

fn less_one(mut number: Vec<u8>) -> Vec<u8> {
    // The modulus is odd.
    *number.last_mut().unwrap() -= 1;
    number
}

/// A good token's signature under another payload.
fn payload_changed(fields: Value) -> String {
    let token = good();
    let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts[1] = encode(merged(claims(), fields).to_string());
    parts.join(".")
}

fn header_changed() -> String {
    let token = good();
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", encode(merged(header(), json!({ "x": 1 })).to_string()))
}

refused! {
    a_signature_of_zeros: Signature, with(&[0; 256]);
    a_signature_of_ones: Signature, with(&[0xff; 256]);
    a_signature_that_is_one: Signature, with(&[&[0; 255][..], &[1]].concat());
    a_signature_that_is_the_modulus: Signature, with(&ours().modulus());
    a_signature_that_is_the_modulus_less_one: Signature, with(&less_one(ours().modulus()));
    a_signature_truncated: Signature, changed(|signature| { signature.pop(); });
    a_signature_truncated_in_front: Signature, changed(|signature| { signature.remove(0); });
    a_signature_extended: Signature, changed(|signature| signature.push(0));
    a_signature_with_a_zero_in_front: Signature, changed(|signature| signature.insert(0, 0));
    a_signature_twice: Signature, changed(|signature| signature.extend(signature.clone()));
    a_signature_of_one_byte: Signature, with(&[1]);
    a_strangers_signature: Signature, stranger().sign(header().to_string(), claims().to_string());
    another_caller_in_the_payload: Signature, payload_changed(json!({ "email": "evil@evil.example" }));
    a_later_end_in_the_payload: Signature, payload_changed(json!({ "exp": 4_000_000_000_u32 }));
    another_header_under_the_signature: Signature, header_changed();
    a_self_signed_token_of_a_service_account: UnknownKey, stranger().sign(
        json!({ "alg": "RS256", "kid": "key-x", "typ": "JWT" }).to_string(),
        merged(claims(), json!({ "iss": super::CALLER, "sub": super::CALLER })).to_string(),
    );
}

#[tokio::test]
async fn a_bit_flipped_in_any_byte_is_refused() {
    let guarded = Guarded::start().await;
    for at in 0..256 {
        let token = changed(|signature| signature[at] ^= 1 << (at % 8));
        assert_eq!(guarded.check(&token).await, Err(Refusal::Signature), "byte {at}");
    }
}
