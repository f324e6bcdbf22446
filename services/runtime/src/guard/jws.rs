//! Takes a compact JWS apart, strictly, before anything in it is believed.

use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;

use super::error::Refusal;

/// Base64url without padding, and without stray bits at the end (RFC 7515, section 2).
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(false),
);

/// The longest `kid` that a key set would name.
const MAX_KID: usize = 256;

/// A token's parts. Its signature is not checked yet.
#[derive(Debug)]
pub(super) struct Jws<'a> {
    /// Header and payload as they were signed.
    pub(super) signed: &'a str,
    /// The signature as it stands in the token.
    pub(super) signature: &'a str,
    /// Which key it claims to be signed with.
    pub(super) kid: String,
    /// The payload's bytes.
    pub(super) payload: Vec<u8>,
}

/// Everything else in a header is ignored, keys and addresses of keys above all (RFC 8725, section 3.10); serde refuses
/// a field that appears twice.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    #[serde(default, deserialize_with = "present")]
    typ: Option<String>,
    #[serde(default, deserialize_with = "anything")]
    crit: bool,
    #[serde(default, deserialize_with = "anything")]
    zip: bool,
    #[serde(default, deserialize_with = "anything")]
    enc: bool,
    #[serde(default, deserialize_with = "anything")]
    b64: bool,
    #[serde(default, deserialize_with = "anything")]
    cty: bool,
}

/// A string; null counts as a wrong type and not as absent.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// Whether the field is there, whatever it holds.
fn anything<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// Takes `token` apart.
pub(super) fn parse(token: &str) -> Result<Jws<'_>, Refusal> {
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::Unauthenticated("the token has not three parts"));
    };
    let signed = &token[..header.len() + 1 + payload.len()];
    let kid = header_kid(&decode(header)?)?;
    let payload = decode(payload)?;
    if decode(signature)?.is_empty() {
        return Err(Refusal::Unauthenticated("the token has no signature"));
    }
    Ok(Jws { signed, signature, kid, payload })
}

fn header_kid(json: &[u8]) -> Result<String, Refusal> {
    let header: Header = serde_json::from_slice(json)
        .map_err(|_| Refusal::Unauthenticated("the token's header is not one of an ID token"))?;
    if header.alg != "RS256" {
        return Err(Refusal::Unauthenticated("the token's algorithm is not RS256"));
    }
    if header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
        return Err(Refusal::Unauthenticated("the token's type is not JWT"));
    }
    if header.crit || header.zip || header.enc || header.b64 || header.cty {
        return Err(Refusal::Unauthenticated("the token's header asks for an extension"));
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.=".contains(&b);
    if header.kid.is_empty() || header.kid.len() > MAX_KID || !header.kid.bytes().all(plain) {
        return Err(Refusal::Unauthenticated("the token's key id is not one"));
    }
    Ok(header.kid)
}

fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    BASE64URL
        .decode(part)
        .map_err(|_| Refusal::Unauthenticated("the token is not base64url"))
}
