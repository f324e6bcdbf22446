//! Whether a call is let in.

use axum::http::HeaderMap;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};

use super::{
    bearer::bearer,
    cache::Verified,
    claims::{self, Caller, Claims},
    error::Refusal,
    jwks::Jwks,
    jws::{self, Jws},
    mode::{GuardSettings, Mode},
};
use crate::settings::is_loopback;

/// Checks the callers of one service.
#[derive(Debug)]
pub struct Guard {
    /// Nothing when the guard is switched off.
    verifier: Option<Verifier>,
}

/// A guard that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// Nobody could ever be let in.
    #[error("a guard that checks its callers needs at least one {0}")]
    Empty(&'static str),
    /// Keys over plain HTTP are anybody's keys.
    #[error("the issuer's signing keys at {0} would come unprotected; use an https URL")]
    Plain(url::Url),
    /// The HTTP client for the issuer's keys cannot be made.
    #[error("cannot set up the client that fetches the issuer's signing keys: {0}")]
    Client(#[from] reqwest::Error),
}

impl Guard {
    /// A guard with these settings. Fetches nothing yet.
    pub fn new(settings: GuardSettings) -> Result<Self, GuardError> {
        let verifier = match settings.mode {
            Mode::Verify => Some(Verifier::new(settings)?),
            Mode::Off => None,
        };
        Ok(Self { verifier })
    }

    /// Who calls, or why not. Nobody in particular when the guard is switched off.
    pub async fn check(&self, headers: &HeaderMap) -> Result<Option<Caller>, Refusal> {
        match self.at_once(headers) {
            AtOnce::Known(decided) => decided,
            AtOnce::Ask(token) => self.ask(&token).await,
        }
    }

    /// What can be said without the issuer's keys and a signature check: for nearly every call, everything.
    pub(super) fn at_once(&self, headers: &HeaderMap) -> AtOnce {
        let Some(verifier) = &self.verifier else {
            return AtOnce::Known(Ok(None));
        };
        match bearer(headers) {
            Err(refusal) => AtOnce::Known(Err(refusal)),
            Ok(token) => match verifier.remembered(token, claims::now()) {
                Some(caller) => AtOnce::Known(Ok(Some(caller))),
                None => AtOnce::Ask(token.to_owned()),
            },
        }
    }

    /// The rest of the way, for a token that was not met before.
    pub(super) async fn ask(&self, token: &str) -> Result<Option<Caller>, Refusal> {
        match &self.verifier {
            Some(verifier) => verifier.verify(token, claims::now()).await.map(Some),
            None => Ok(None),
        }
    }
}

/// A decision, or the token that it takes longer to decide on.
pub(super) enum AtOnce {
    Known(Result<Option<Caller>, Refusal>),
    Ask(String),
}

#[derive(Debug)]
struct Verifier {
    settings: GuardSettings,
    jwks: Jwks,
    verified: Verified,
}

impl Verifier {
    fn new(settings: GuardSettings) -> Result<Self, GuardError> {
        for (what, list) in [
            ("audience", &settings.audiences),
            ("allowed caller", &settings.allowed_callers),
            ("issuer", &settings.issuers),
        ] {
            if list.is_empty() {
                return Err(GuardError::Empty(what));
            }
        }
        if settings.jwks_url.scheme() != "https" && !is_loopback(&settings.jwks_url) {
            return Err(GuardError::Plain(settings.jwks_url));
        }
        let jwks = Jwks::new(settings.jwks_url.clone())?;
        Ok(Self {
            settings,
            jwks,
            verified: Verified::default(),
        })
    }

    fn remembered(&self, token: &str, now: i64) -> Option<Caller> {
        self.verified
            .get(token, now, |kid| self.jwks.published(kid))
    }

    /// The signature first, then the claims: what is not signed by the issuer is not even read.
    async fn verify(&self, token: &str, now: i64) -> Result<Caller, Refusal> {
        let jws = jws::parse(token)?;
        let key = self.jwks.key(&jws.kid).await?;
        check_signature(&jws, &key)?;
        let claims = Claims::parse(&jws.payload)?;
        let until = claims.accepted_until();
        let caller = claims.check(&self.settings, now)?;
        self.verified
            .put(token, jws.kid, caller.clone(), until, now);
        Ok(caller)
    }
}

/// The algorithm is ours, whatever the token says.
fn check_signature(jws: &Jws<'_>, key: &DecodingKey) -> Result<(), Refusal> {
    match crypto::verify(jws.signature, jws.signed.as_bytes(), key, Algorithm::RS256) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Refusal::Signature),
    }
}
