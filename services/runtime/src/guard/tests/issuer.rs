//! An issuer of our own: keys made for the run, and tokens of every kind signed with them.

use std::{
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaEncoding},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub(super) const AUDIENCE: &str = "https://poller-abc.a.run.app";
pub(super) const CALLER: &str = "scheduler@project.iam.gserviceaccount.com";

/// A key of the issuer, or of an impostor.
pub(super) struct Signer {
    pub(super) kid: &'static str,
    pair: KeyPair,
}

/// The issuer's first key.
pub(super) fn ours() -> &'static Signer {
    static KEY: OnceLock<Signer> = OnceLock::new();
    KEY.get_or_init(|| Signer::new("key-a"))
}

/// The issuer's second key.
pub(super) fn second() -> &'static Signer {
    static KEY: OnceLock<Signer> = OnceLock::new();
    KEY.get_or_init(|| Signer::new("key-b"))
}

/// A key that the issuer never had.
pub(super) fn stranger() -> &'static Signer {
    static KEY: OnceLock<Signer> = OnceLock::new();
    KEY.get_or_init(|| Signer::new("key-x"))
}

impl Signer {
    fn new(kid: &'static str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        Self { kid, pair }
    }

    pub(super) fn modulus(&self) -> Vec<u8> {
        let modulus = self.pair.public_key().modulus();
        modulus.big_endian_without_leading_zero().to_vec()
    }

    /// The public key as X.509 has it.
    pub(super) fn der(&self) -> Vec<u8> {
        self.pair.public_key().as_der().unwrap().as_ref().to_vec()
    }

    pub(super) fn jwk(&self) -> Value {
        let n = encode(self.modulus());
        json!({ "kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.kid, "n": n, "e": "AQAB" })
    }

    pub(super) fn signature(&self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let random = SystemRandom::new();
        self.pair.sign(encoding, &random, message, &mut signature).unwrap();
        signature
    }

    /// A token of exactly these bytes, signed as RS256 has it.
    pub(super) fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        self.sign_as(&RSA_PKCS1_SHA256, header, payload)
    }

    pub(super) fn sign_as(
        &self,
        encoding: &'static dyn RsaEncoding,
        header: impl AsRef<[u8]>,
        payload: impl AsRef<[u8]>,
    ) -> String {
        let signed = format!("{}.{}", encode(header), encode(payload));
        let signature = self.signature(encoding, signed.as_bytes());
        format!("{signed}.{}", encode(signature))
    }
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

/// The header of a good token.
pub(super) fn header() -> Value {
    json!({ "alg": "RS256", "kid": "key-a", "typ": "JWT" })
}

/// The claims of a good token.
pub(super) fn claims() -> Value {
    let now = now();
    json!({
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "azp": "1178",
        "sub": "1178",
        "email": CALLER,
        "email_verified": true,
        "iat": now - 10,
        "exp": now + 3590,
    })
}

/// `base` with these fields in place of its own.
pub(super) fn merged(mut base: Value, fields: Value) -> Value {
    let (Value::Object(base_fields), Value::Object(fields)) = (&mut base, fields) else {
        panic!("both are objects");
    };
    base_fields.extend(fields);
    base
}

/// `base` without this field.
pub(super) fn lacking(mut base: Value, field: &str) -> Value {
    base.as_object_mut().unwrap().remove(field).expect("it is there");
    base
}

/// A token that is good.
pub(super) fn good() -> String {
    signed(&header(), &claims())
}

/// A token of the issuer with this header and these claims.
pub(super) fn signed(header: &Value, claims: &Value) -> String {
    ours().sign(header.to_string(), claims.to_string())
}

/// A good token but for these fields of its header.
pub(super) fn with_header(fields: Value) -> String {
    signed(&merged(header(), fields), &claims())
}

/// A good token but for these claims.
pub(super) fn with_claims(fields: Value) -> String {
    signed(&header(), &merged(claims(), fields))
}

/// A good token but for its header, which is this text.
pub(super) fn header_text(text: &str) -> String {
    ours().sign(text, claims().to_string())
}

/// A good token but for its payload, which is this text.
pub(super) fn claims_text(text: impl AsRef<[u8]>) -> String {
    ours().sign(header().to_string(), text)
}

/// The claims of a good token as text, with more text before the closing brace.
pub(super) fn claims_and(more: &str) -> String {
    let text = claims().to_string();
    claims_text(format!("{},{more}}}", text.strip_suffix('}').unwrap()))
}

/// The header of a good token as text, with more text before the closing brace.
pub(super) fn header_and(more: &str) -> String {
    let text = header().to_string();
    header_text(&format!("{},{more}}}", text.strip_suffix('}').unwrap()))
}
