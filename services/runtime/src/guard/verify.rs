//! Whether a call is let in.

use axum::http::HeaderMap;
use jsonwebtoken::{Algorithm, crypto};

use super::{
    bearer::bearer,
    cache::Verified,
    claims::{self, Caller, Claims},
    error::Refusal,
    jwks::Jwks,
    jws,
    mode::{GuardSettings, Mode},
};

/// Checks the callers of one service.
#[derive(Debug)]
pub struct Guard {
    settings: GuardSettings,
    jwks: Jwks,
    verified: Verified,
}

/// A guard that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The HTTP client for the issuer's keys cannot be made.
    #[error("cannot set up the client that fetches the issuer's signing keys: {0}")]
    Client(#[from] reqwest::Error),
}

impl Guard {
    /// A guard with these settings. Fetches nothing yet.
    pub fn new(settings: GuardSettings) -> Result<Self, GuardError> {
        let jwks = Jwks::new(settings.jwks_url.clone())?;
        Ok(Self { settings, jwks, verified: Verified::default() })
    }

    /// Who calls, or why not. Nobody in particular when the guard is switched off.
    pub async fn check(&self, headers: &HeaderMap) -> Result<Option<Caller>, Refusal> {
        match self.settings.mode {
            Mode::Off => Ok(None),
            Mode::Verify => self.verify(headers, claims::now()).await.map(Some),
        }
    }

    /// The signature first, then the claims: what is not signed by the issuer is not even read.
    async fn verify(&self, headers: &HeaderMap, now: i64) -> Result<Caller, Refusal> {
        let token = bearer(headers)?;
        if let Some(caller) = self.verified.get(token, now, |kid| self.jwks.published(kid)) {
            return Ok(caller);
        }
        let jws = jws::parse(token)?;
        let check = |key: &_| match crypto::verify(jws.signature, jws.signed.as_bytes(), key, Algorithm::RS256) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Refusal::Unauthenticated("the token's signature is not valid")),
        };
        self.jwks.with(&jws.kid, check).await?;
        let claims = Claims::parse(&jws.payload)?;
        let until = claims.accepted_until();
        let caller = claims.check(&self.settings, now)?;
        self.verified.put(token, jws.kid, caller.clone(), until, now);
        Ok(caller)
    }
}
