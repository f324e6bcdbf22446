//! What a token's header may say. Nothing in it chooses how it is checked.

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA384,
        RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    },
};
use serde_json::{Value, json};

use super::{
    Guarded, Refusal, accepted,
    issuer::{
        claims, encode, header, header_and, header_text, lacking, merged, ours, second, signed,
        stranger, with_header,
    },
    keyserver::KeyServer,
    refused,
};

fn unsigned(alg: &str, signature: &str) -> String {
    let header = merged(header(), json!({ "alg": alg })).to_string();
    format!("{}.{}.{signature}", encode(header), encode(claims().to_string()))
}

/// Signed with a secret that everybody knows.
fn hs256(secret: &[u8]) -> String {
    let header = merged(header(), json!({ "alg": "HS256" })).to_string();
    let signed = format!("{}.{}", encode(header), encode(claims().to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", encode(tag))
}

fn pem() -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let base64 = STANDARD.encode(ours().der());
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

fn es256() -> String {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let header = merged(header(), json!({ "alg": "ES256" })).to_string();
    let signed = format!("{}.{}", encode(header), encode(claims().to_string()));
    let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", encode(signature))
}

fn eddsa() -> String {
    let header = merged(header(), json!({ "alg": "EdDSA" })).to_string();
    let signed = format!("{}.{}", encode(header), encode(claims().to_string()));
    let signature = Ed25519KeyPair::generate().unwrap().sign(signed.as_bytes());
    format!("{signed}.{}", encode(signature))
}

fn with_alg(alg: &Value) -> String {
    with_header(json!({ "alg": alg }))
}

/// A token of another issuer, whose header brings the key to check it with.
fn strangers(fields: Value) -> String {
    stranger().sign(merged(header(), fields).to_string(), claims().to_string())
}

const SIGNATURE: &str = "c2lnbmF0dXJl";

refused! {
    alg_none_without_a_signature: Algorithm, unsigned("none", "");
    alg_none_in_title_case: Algorithm, unsigned("None", "");
    alg_none_in_upper_case: Algorithm, unsigned("NONE", "");
    alg_none_in_mixed_case: Algorithm, unsigned("nOnE", "");
    alg_none_with_a_signature: Algorithm, unsigned("none", SIGNATURE);
    alg_none_in_title_case_with_a_signature: Algorithm, unsigned("None", SIGNATURE);
    alg_none_in_upper_case_with_a_signature: Algorithm, unsigned("NONE", SIGNATURE);
    alg_none_in_mixed_case_with_a_signature: Algorithm, unsigned("nOnE", SIGNATURE);
    alg_rs256_without_a_signature: Signature, unsigned("RS256", "");

    hs256_with_the_public_key_as_pem: Algorithm, hs256(pem().as_bytes());
    hs256_with_the_public_key_as_der: Algorithm, hs256(&ours().der());
    hs256_with_the_modulus: Algorithm, hs256(&ours().modulus());
    hs256_with_the_modulus_as_text: Algorithm, hs256(encode(ours().modulus()).as_bytes());
    hs256_with_an_empty_key: Algorithm, hs256(b"");
    hs256_with_null_as_key: Algorithm, hs256(b"null");

    rs384_with_a_good_key: Algorithm,
        ours().sign_as(&RSA_PKCS1_SHA384, merged(header(), json!({ "alg": "RS384" })).to_string(), claims().to_string());
    rs512_with_a_good_key: Algorithm,
        ours().sign_as(&RSA_PKCS1_SHA512, merged(header(), json!({ "alg": "RS512" })).to_string(), claims().to_string());
    ps256_with_a_good_key: Algorithm,
        ours().sign_as(&RSA_PSS_SHA256, merged(header(), json!({ "alg": "PS256" })).to_string(), claims().to_string());
    ps256_that_says_rs256: Signature,
        ours().sign_as(&RSA_PSS_SHA256, header().to_string(), claims().to_string());
    rs512_that_says_rs256: Signature,
        ours().sign_as(&RSA_PKCS1_SHA512, header().to_string(), claims().to_string());
    es256_with_a_key_of_its_own: Algorithm, es256();
    eddsa_with_a_key_of_its_own: Algorithm, eddsa();

    alg_missing: Header, signed(&lacking(header(), "alg"), &claims());
    alg_null: Header, with_alg(&Value::Null);
    alg_a_number: Header, with_alg(&json!(256));
    alg_an_array: Header, with_alg(&json!(["RS256"]));
    alg_with_a_blank: Algorithm, with_alg(&json!("RS256 "));
    alg_in_lower_case: Algorithm, with_alg(&json!("rs256"));
    alg_empty: Algorithm, with_alg(&json!(""));
    alg_twice: Header, header_and(r#""alg":"RS256""#);
    alg_twice_once_escaped: Header, header_and(r#""\u0061lg":"none""#);

    jwk_of_a_stranger_with_our_key_id: Signature, strangers(json!({ "jwk": stranger().jwk() }));
    jwk_of_a_stranger_with_its_own_key_id: UnknownKey, strangers(json!({ "jwk": stranger().jwk(), "kid": "key-x" }));
    x5c_of_a_stranger: Signature, strangers(json!({ "x5c": [encode(stranger().der())] }));
    x5t_of_a_stranger: Signature, strangers(json!({ "x5t": encode([0; 20]), "x5t#S256": encode([0; 32]) }));

    crit_with_an_unknown_extension: Extension, with_header(json!({ "crit": ["x"], "x": 1 }));
    crit_empty: Extension, with_header(json!({ "crit": [] }));
    crit_null: Extension, with_header(json!({ "crit": null }));
    b64_false: Extension, with_header(json!({ "b64": false, "crit": ["b64"] }));
    b64_false_without_crit: Extension, with_header(json!({ "b64": false }));
    zip_deflate: Extension, with_header(json!({ "zip": "DEF" }));
    enc_as_in_an_encrypted_token: Extension, with_header(json!({ "enc": "A128GCM" }));
    cty_of_a_nested_token: Extension, with_header(json!({ "cty": "JWT" }));

    typ_of_an_access_token: Type, with_header(json!({ "typ": "at+jwt" }));
    typ_of_a_logout_token: Type, with_header(json!({ "typ": "logout+jwt" }));
    typ_null: Header, with_header(json!({ "typ": null }));
    typ_a_number: Header, with_header(json!({ "typ": 1 }));

    kid_missing: Header, signed(&lacking(header(), "kid"), &claims());
    kid_an_array: Header, with_header(json!({ "kid": ["key-a"] }));
    kid_null: Header, with_header(json!({ "kid": null }));
    kid_unknown: UnknownKey, with_header(json!({ "kid": "key-z" }));
    kid_in_another_case: UnknownKey, with_header(json!({ "kid": "KEY-A" }));
    kid_of_another_key_of_the_issuer: Signature, with_header(json!({ "kid": second().kid }));
    kid_twice: Header, header_and(r#""kid":"key-a""#);

    an_unknown_name_twice_in_the_header: Header, header_and(r#""x":1,"x":2"#);
    a_header_that_is_an_array: Header, header_text(r#"["RS256","key-a"]"#);
    a_header_that_is_a_string: Header, header_text(r#""RS256""#);
    a_header_that_is_empty: Header, header_text("");
    a_header_with_words_behind_it: Header, header_text(&format!("{} x", header()));
    a_header_with_a_byte_order_mark: Header, header_text(&format!("\u{feff}{}", header()));
    a_header_nested_ten_thousand_deep: Header, header_text(&"[".repeat(10_000));
    a_header_whose_value_is_nested_ten_thousand_deep: Header, header_and(&format!("\"x\":{}", "[".repeat(10_000)));
}

accepted! {
    typ_absent: signed(&lacking(header(), "typ"), &claims());
    typ_in_lower_case: with_header(json!({ "typ": "jwt" }));
    header_fields_that_say_nothing_to_us: with_header(json!({ "jku": "x", "note": { "a": [1] } }));
    the_issuers_second_key: second().sign(merged(header(), json!({ "kid": "key-b" })).to_string(), claims().to_string());
}

#[tokio::test]
async fn key_ids_of_no_sane_shape_cost_no_fetch() {
    let guarded = Guarded::start().await;
    let long = "k".repeat(10 * 1024);
    for kid in [
        "",
        &long,
        "../../dev/null",
        "' OR 1=1",
        "a\0b",
        "http://evil",
        "key a",
        "key\n",
        "\u{30ad}",
    ] {
        let refusal = guarded.check(&with_header(json!({ "kid": kid }))).await;
        assert_eq!(refusal, Err(Refusal::KeyId), "{kid:?}");
    }
    assert_eq!(guarded.keys.fetches(), 0);
}

#[tokio::test]
async fn addresses_of_keys_in_a_header_are_never_visited() {
    let guarded = Guarded::start().await;
    let evil = KeyServer::start().await;
    for field in ["jku", "x5u"] {
        for kid in ["key-a", "key-x"] {
            let token = strangers(json!({ field: evil.url().to_string(), "kid": kid }));
            assert!(guarded.check(&token).await.is_err(), "{field} {kid}");
        }
    }
    assert_eq!(evil.fetches(), 0);
}
