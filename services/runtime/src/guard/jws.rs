//! Parses a compact JWS, strictly, before anything in it is trusted.

use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;

use super::{error::Refusal, json};

/// Base64url without padding, and without stray bits at the end (RFC 7515, section 2).
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(false),
);

/// The longest `kid` that a key set would name.
const MAX_KID: usize = 256;

/// A token's parts. The signature is not verified yet.
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

/// Everything else in a header is ignored, keys and addresses of keys above all (RFC 8725, section 3.10).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    #[serde(default, deserialize_with = "present")]
    typ: Option<String>,
    #[serde(default)]
    crit: Named,
    #[serde(default)]
    zip: Named,
    #[serde(default)]
    enc: Named,
    #[serde(default)]
    b64: Named,
    #[serde(default)]
    cty: Named,
}

/// A string; null counts as a wrong type and not as absent.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// Whether a field is there, whatever it holds.
#[derive(Default)]
struct Named(bool);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

impl Header {
    fn requires_extension(&self) -> bool {
        [&self.crit, &self.zip, &self.enc, &self.b64, &self.cty]
            .into_iter()
            .any(|Named(named)| *named)
    }
}

/// Parses a token.
pub(super) fn parse(token: &str) -> Result<Jws<'_>, Refusal> {
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Refusal::Parts);
    };
    let signed = &token[..header.len() + 1 + payload.len()];
    let kid = header_kid(&decode(header)?)?;
    let payload = decode(payload)?;
    if decode(signature)?.is_empty() {
        return Err(Refusal::Signature);
    }
    Ok(Jws { signed, signature, kid, payload })
}

fn header_kid(bytes: &[u8]) -> Result<String, Refusal> {
    let header: Header = json::object(bytes).map_err(|_| Refusal::Header)?;
    if header.alg != "RS256" {
        return Err(Refusal::Algorithm);
    }
    if header.requires_extension() {
        return Err(Refusal::Extension);
    }
    if header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
        return Err(Refusal::Type);
    }
    if !is_plain(&header.kid) {
        return Err(Refusal::KeyId);
    }
    Ok(header.kid)
}

/// Whether a key id may be looked for. Google's are hexadecimal, others' base64url; a path or a query
/// is not worth a fetch.
fn is_plain(kid: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.=:".contains(&b);
    !kid.is_empty() && kid.len() <= MAX_KID && kid.bytes().all(allowed)
}

fn decode(part: &str) -> Result<Vec<u8>, Refusal> {
    BASE64URL.decode(part).map_err(|_| Refusal::Encoding)
}
