//! How a token is written: three parts of strict base64url, and nothing around them.

use serde_json::json;

use super::{
    Guarded, Refusal,
    issuer::{claims, claims_text, encode, good, header, ours},
    refused,
};

fn parts() -> [String; 3] {
    let token = good();
    let mut parts = token.split('.').map(str::to_owned);
    [(); 3].map(|()| parts.next().unwrap())
}

fn joined(change: impl FnOnce(&mut [String; 3])) -> String {
    let mut parts = parts();
    change(&mut parts);
    parts.join(".")
}

/// A good signature of a token whose parts are written in another alphabet or shape.
fn signed_text(header: &str, payload: &str) -> String {
    let signed = format!("{header}.{payload}");
    let signature = ours().signature(&aws_lc_rs::signature::RSA_PKCS1_SHA256, signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}

/// A good signature's last character encodes four bits of nothing; this sets one of them.
fn with_a_trailing_bit(part: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    assert_ne!(part.len() % 4, 0, "there are trailing bits");
    let (rest, last) = part.split_at(part.len() - 1);
    let value = ALPHABET.iter().position(|c| *c == last.as_bytes()[0]).unwrap();
    format!("{rest}{}", char::from(ALPHABET[value | 1]))
}

fn flattened() -> String {
    let [protected, payload, signature] = parts();
    json!({ "protected": protected, "payload": payload, "signature": signature }).to_string()
}

fn general() -> String {
    let [protected, payload, signature] = parts();
    json!({ "payload": payload, "signatures": [{ "protected": protected, "signature": signature }] }).to_string()
}

refused! {
    one_part: Parts, parts()[0].clone();
    two_parts: Parts, parts()[..2].join(".");
    four_parts: Parts, format!("{}.x", good());
    five_parts_as_in_an_encrypted_token: Parts, format!("{}.x.y", good());
    six_parts: Parts, format!("{0}.{0}", good());
    a_leading_dot: Parts, format!(".{}", good());
    a_trailing_dot: Parts, format!("{}.", good());
    dots_alone: Header, "..".into();
    an_empty_header: Header, joined(|parts| parts[0].clear());
    an_empty_payload: Signature, joined(|parts| parts[1].clear());
    an_empty_signature: Signature, joined(|parts| parts[2].clear());
    json_serialization_flattened: Parts, flattened();
    json_serialization_general: Parts, general();

    padding_in_the_header: Encoding, joined(|parts| parts[0].push('='));
    padding_in_the_payload: Encoding, joined(|parts| parts[1].push('='));
    padding_in_the_signature: Encoding, joined(|parts| parts[2].push_str("=="));
    padding_that_was_signed: Encoding,
        signed_text(&encode(header().to_string()), &format!("{}=", encode(claims().to_string())));
    a_plus_sign: Encoding, joined(|parts| parts[2].replace_range(0..1, "+"));
    a_slash: Encoding, joined(|parts| parts[2].replace_range(0..1, "/"));
    a_blank_inside: Encoding, joined(|parts| parts[1].insert(4, ' '));
    a_tab_inside: Encoding, joined(|parts| parts[1].insert(4, '\t'));
    a_trailing_bit_in_the_signature: Encoding, joined(|parts| parts[2] = with_a_trailing_bit(&parts[2]));
    a_character_too_few: Encoding, joined(|parts| { parts[2].truncate(parts[2].len() - 1); });
    a_percent_sign: Encoding, joined(|parts| parts[0].push_str("%3D"));

    claims_that_are_not_utf8: Claims, claims_text([claims().to_string().into_bytes(), vec![b' ', 0xff]].concat());
    claims_with_a_byte_order_mark: Claims, claims_text(format!("\u{feff}{}", claims()));
    claims_with_words_behind_them: Claims, claims_text(format!("{} x", claims()));
    claims_twice: Claims, claims_text(format!("{0}{0}", claims()));
    claims_that_are_empty: Claims, claims_text("");
    claims_that_are_an_array: Claims,
        claims_text(json!([claims()["iss"], claims()["aud"], claims()["sub"], claims()["exp"], claims()["iat"]]).to_string());
    claims_that_are_null: Claims, claims_text("null");
    claims_nested_too_deep: Claims, claims_text("[".repeat(5_000));
}

#[test]
fn a_line_break_is_refused_before_a_header_could_bring_one() {
    for inside in ["\n", "\r\n", "\0", "\u{85}", "\u{2028}"] {
        let token = joined(|parts| parts[1].insert_str(4, inside));
        assert_eq!(crate::guard::jws::parse(&token).err(), Some(Refusal::Encoding), "{inside:?}");
    }
}

#[tokio::test]
async fn a_change_of_any_character_is_refused() {
    let guarded = Guarded::start().await;
    let token = good();
    assert!(guarded.check(&token).await.is_ok());
    for (at, old) in token.char_indices() {
        for new in ['A', 'b', '_', '.', '='] {
            if new == old {
                continue;
            }
            let mut changed = token.clone();
            changed.replace_range(at..=at, &new.to_string());
            assert!(guarded.check(&changed).await.is_err(), "{new} at {at}");
        }
    }
}
