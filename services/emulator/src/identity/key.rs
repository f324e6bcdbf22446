//! RSA keys. They are made when the emulator starts and leave it in key files only.

use std::{error::Error, fmt};

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use serde_json::{Value, json};

/// One RSA key of 2,048 bits.
pub(super) struct Key {
    pub(super) id: String,
    pem: String,
    signing: EncodingKey,
    verifying: DecodingKey,
    modulus: String,
    exponent: String,
}

impl Key {
    /// A fresh key. It takes a while.
    pub(super) fn generate() -> Self {
        Self::try_generate()
            .expect("a machine with random numbers and memory makes keys of a common size")
    }

    fn try_generate() -> Result<Self, Box<dyn Error>> {
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        let der: Pkcs8V1Der<'_> = pair.as_der()?;
        let pem = pem(der.as_ref());
        let public = pair.public_key();
        let encode = |number: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(number);
        let modulus = encode(public.modulus().big_endian_without_leading_zero());
        let exponent = encode(public.exponent().big_endian_without_leading_zero());
        Ok(Self {
            id: encode(&digest(&SHA256, modulus.as_bytes()).as_ref()[..15]),
            signing: EncodingKey::from_rsa_pem(pem.as_bytes())?,
            verifying: DecodingKey::from_rsa_components(&modulus, &exponent)?,
            pem,
            modulus,
            exponent,
        })
    }

    /// The private key in PKCS #8 PEM, as a service account's key file has it.
    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// The public key as a JWK (RFC 7517).
    pub(super) fn jwk(&self) -> Value {
        json!({
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.id,
            "n": self.modulus,
            "e": self.exponent,
        })
    }

    pub(super) fn verifying(&self) -> &DecodingKey {
        &self.verifying
    }

    /// A compact JWS of these parts.
    pub(super) fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = crypto::sign(signed.as_bytes(), &self.signing, Algorithm::RS256)
            .expect("an RSA key of 2,048 bits signs with RS256");
        format!("{signed}.{signature}")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|&byte| char::from(byte)));
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
}
