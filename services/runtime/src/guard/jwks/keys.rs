//! Which keys of a key set may sign ID tokens.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;

/// Keys by their ids.
#[derive(Default)]
pub(super) struct Keys(HashMap<String, Arc<DecodingKey>>);

impl Keys {
    pub(super) fn get(&self, kid: &str) -> Option<&Arc<DecodingKey>> {
        self.0.get(kid)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Why a response holds no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnusableKeys {
    #[error("the response is not a key set")]
    NotKeys,
    #[error("the response has no usable key")]
    NoKey,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: String,
    n: String,
    e: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    #[serde(rename = "key_ops")]
    operations: Option<Vec<String>>,
}

/// The keys that may sign ID tokens. A key with another purpose or of a weak kind is left out, and so are
/// two that share an id, because it is ambiguous.
pub(super) fn usable(body: &[u8]) -> Result<Keys, UnusableKeys> {
    let set: KeySet = serde_json::from_slice(body).map_err(|_| UnusableKeys::NotKeys)?;
    let mut keys = HashMap::new();
    let mut seen = HashMap::<String, usize>::new();
    for value in set.keys {
        if let Some(kid) = value.get("kid").and_then(serde_json::Value::as_str) {
            *seen.entry(kid.to_owned()).or_default() += 1;
        }
        let Ok(key) = serde_json::from_value::<Key>(value) else {
            continue;
        };
        if let Some(decoding) = key.decoding() {
            keys.insert(key.kid, Arc::new(decoding));
        }
    }
    keys.retain(|kid, _| seen.get(kid) == Some(&1));
    if keys.is_empty() { Err(UnusableKeys::NoKey) } else { Ok(Keys(keys)) }
}

impl Key {
    fn decoding(&self) -> Option<DecodingKey> {
        let modulus = URL_SAFE_NO_PAD.decode(&self.n).ok()?;
        let exponent = URL_SAFE_NO_PAD.decode(&self.e).ok()?;
        (self.is_to_verify() && is_sound(&modulus, &exponent))
            .then(|| DecodingKey::from_rsa_raw_components(&modulus, &exponent))
    }

    fn is_to_verify(&self) -> bool {
        let verifies = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
        self.kty == "RSA"
            && self.alg.as_deref().is_none_or(|alg| alg == "RS256")
            && self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.operations.as_ref().is_none_or(verifies)
    }
}

/// 2,048 to 8,192 bits, odd, written without leading zeros (RFC 7518, section 6.3.1.1), and 65,537 as the exponent, as
/// every issuer has it: smaller ones turn padding mistakes into forgeries.
fn is_sound(modulus: &[u8], exponent: &[u8]) -> bool {
    let (Some(first), Some(last)) = (modulus.first(), modulus.last()) else {
        return false;
    };
    let bits = modulus.len() * 8 - first.leading_zeros() as usize;
    *first != 0 && (2048..=8192).contains(&bits) && last % 2 == 1 && exponent == [1, 0, 1]
}
