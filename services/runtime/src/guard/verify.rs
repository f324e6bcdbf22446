//! Decides whether a call is admitted.

use std::sync::Arc;

use axum::http::HeaderMap;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use url::Url;

use super::{
    bearer::{bearer, is_the_checked_one},
    cache::TokenCache,
    claims::{self, Caller, Claims},
    error::Refusal,
    front_end::{FrontEndCheck, NotProtected, REMOVED},
    jwks::Jwks,
    jws::{self, Jws},
    mode::{GuardSettings, Mode},
    traced::Admitted,
    transport::{certificates_hint, chain},
};
use crate::{settings::is_loopback, telemetry::LineLimit};

/// Checks the callers of one service.
#[derive(Debug)]
pub struct Guard {
    /// `None` when the guard is off.
    verifier: Option<Verifier>,
}

/// A guard that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// No caller could be admitted.
    #[error("the guard needs at least one {0}")]
    Empty(&'static str),
    /// Keys over plain HTTP could be replaced on their way.
    #[error("the URL of the issuer's signing keys is {0}; expected an https URL")]
    Plain(Url),
    /// The HTTP client for the issuer's keys cannot be created.
    #[error("cannot create the HTTP client that fetches the issuer's signing keys: {}", chain(.0))]
    Client(#[from] reqwest::Error),
}

impl GuardError {
    /// The fix; empty when the message contains it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Client(error) => certificates_hint(error),
            Self::Empty(_) | Self::Plain(_) => "",
        }
    }
}

impl Guard {
    /// A guard with these settings. Fetches nothing yet.
    pub fn new(settings: GuardSettings) -> Result<Self, GuardError> {
        let verifier = match settings.mode {
            Mode::Verify | Mode::Platform => Some(Verifier::new(settings)?),
            Mode::Off => None,
        };
        Ok(Self { verifier })
    }

    /// The caller, or why the call is refused. `None` when the guard is off.
    pub async fn check(&self, headers: &HeaderMap) -> Result<Option<Caller>, Refusal> {
        match self.lookup(headers) {
            Lookup::Hit(decision) => decision,
            Lookup::Miss(token) => self.verify(&token).await,
        }
        .map(|admitted| admitted.map(|admitted| admitted.caller))
    }

    /// Starts to fetch the issuer's keys, so that the first caller does not wait for them. Behind a front end that checks
    /// signatures nothing is fetched.
    ///
    /// Must be called within a tokio runtime.
    pub fn warm(&self) {
        if let Some(verifier) = &self.verifier
            && verifier.front_end.is_none()
        {
            verifier.jwks.warm();
        }
    }

    /// How many tokens are remembered.
    #[cfg(test)]
    pub(super) fn remembers(&self) -> usize {
        let cached = |verifier: &Verifier| verifier.cache.len();
        self.verifier.as_ref().map_or(0, cached)
    }

    /// Verifies that no forged token passes the front end, so that `platform` mode may trust a token whose signature was
    /// removed: it calls this service at its own URL with a forged token, which the front end must refuse.
    ///
    /// Call it once, while the service is served: calls whose signature was removed wait until it has succeeded, and are then
    /// refused if it has not. From then on such calls have it repeated every few minutes, because a service can be made public at
    /// any time; they are refused while it fails. Without a URL nothing can be verified, and a warning names what is trusted. In
    /// the other modes there is nothing to verify.
    pub async fn verify_front_end(&self, public_url: Option<&Url>) -> Result<(), NotProtected> {
        let Some(verifier) = &self.verifier else {
            return Ok(());
        };
        match (&verifier.front_end, public_url) {
            (None, _) => Ok(()),
            (Some(front_end), None) => {
                front_end.trust_platform();
                Ok(())
            }
            (Some(front_end), Some(url)) => front_end.verify(url).await,
        }
    }

    /// The decision without the issuer's keys and a signature check, which suffices for nearly every call.
    pub(super) fn lookup(&self, headers: &HeaderMap) -> Lookup {
        let Some(verifier) = &self.verifier else {
            return Lookup::Hit(Ok(None));
        };
        match bearer(headers) {
            Err(refusal) => Lookup::Hit(Err(refusal)),
            Ok(token) => match verifier.cached(token, claims::now()) {
                Some(admitted) => Lookup::Hit(Ok(Some(admitted))),
                None => Lookup::Miss(PendingToken {
                    token: token.to_owned(),
                    checked_by_front_end: is_the_checked_one(headers),
                }),
            },
        }
    }

    /// Whether an admitted caller may call this path.
    pub(super) fn permits(&self, path: &str, decision: Decision) -> Decision {
        if let (Ok(Some(admitted)), Some(verifier)) = (&decision, &self.verifier) {
            verifier.settings.permits(path, &admitted.caller.email)?;
        }
        decision
    }

    /// The full check of a token that is not in the cache.
    pub(super) async fn verify(&self, token: &PendingToken) -> Decision {
        match &self.verifier {
            Some(verifier) => verifier.verify(token, claims::now()).await.map(Some),
            None => Ok(None),
        }
    }
}

/// The admitted caller, `None` when the guard is off, or why the call is refused.
pub(super) type Decision = Result<Option<Admitted>, Refusal>;

/// A decision, or the token that needs the full check.
pub(super) enum Lookup {
    Hit(Decision),
    Miss(PendingToken),
}

/// A token that is not in the cache.
pub(super) struct PendingToken {
    token: String,
    /// Whether a front end would have checked this token and no other.
    checked_by_front_end: bool,
}

#[derive(Debug)]
struct Verifier {
    settings: GuardSettings,
    jwks: Arc<Jwks>,
    cache: TokenCache,
    /// In `platform` mode alone.
    front_end: Option<Arc<FrontEndCheck>>,
    /// What is logged about tokens of others.
    lines: LineLimit,
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
        let is_platform = settings.mode == Mode::Platform;
        let front_end = is_platform.then(|| Arc::new(FrontEndCheck::new(settings.clone())));
        let lines = LineLimit::new("more tokens were refused");
        Ok(Self { settings, jwks, cache: TokenCache::default(), front_end, lines })
    }

    fn cached(&self, token: &str, now: i64) -> Option<Admitted> {
        self.cache.get(token, now, |kid| self.jwks.published(kid))
    }

    /// The signature first, then the claims: claims that the issuer did not sign are not even parsed.
    async fn verify(&self, pending: &PendingToken, now: i64) -> Result<Admitted, Refusal> {
        let token = &pending.token;
        let jws = jws::parse(token)?;
        if pending.checked_by_front_end && jws.signature == REMOVED {
            let Some(front_end) = &self.front_end else {
                return Err(Refusal::Stripped);
            };
            return self.trust(&jws, front_end, now).await;
        }
        let key = self.jwks.key(&jws.kid).await?;
        check_signature(&jws, &key)?;
        let claims = Claims::parse(&jws.payload)?;
        let until = claims.accepted_until();
        let admitted = Admitted::new(claims.check(&self.settings, now, &self.lines)?);
        self.cache.put(token, jws.kid, admitted.clone(), until, now);
        Ok(admitted)
    }

    /// The claims alone: the front end has checked the signature. Such a token is not cached, because its worth depends on the
    /// headers beside it, and parsing it is cheap.
    async fn trust(
        &self,
        jws: &Jws<'_>,
        front_end: &Arc<FrontEndCheck>,
        now: i64,
    ) -> Result<Admitted, Refusal> {
        let claims = Claims::parse(&jws.payload)?;
        front_end.reject_probe(claims.subject())?;
        let caller = claims.check(&self.settings, now, &self.lines)?;
        front_end.trusted().await?;
        Ok(Admitted::new(caller))
    }
}

/// The algorithm is fixed here; the token's header does not choose it.
fn check_signature(jws: &Jws<'_>, key: &DecodingKey) -> Result<(), Refusal> {
    match crypto::verify(jws.signature, jws.signed.as_bytes(), key, Algorithm::RS256) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Refusal::Signature),
    }
}
