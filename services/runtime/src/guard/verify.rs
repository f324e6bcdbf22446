//! Whether a call is let in.

use axum::http::HeaderMap;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use url::Url;

use super::{
    bearer::{bearer, is_the_checked_one},
    cache::Verified,
    claims::{self, Caller, Claims},
    error::Refusal,
    front::{Front, NotFronted, REMOVED},
    jwks::Jwks,
    jws::{self, Jws},
    mode::{GuardSettings, Mode},
    traced::Admitted,
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
    Plain(Url),
    /// The HTTP client for the issuer's keys cannot be made.
    #[error("cannot set up the client that fetches the issuer's signing keys: {0}")]
    Client(#[from] reqwest::Error),
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

    /// Who calls, or why not. Nobody in particular when the guard is switched off.
    pub async fn check(&self, headers: &HeaderMap) -> Result<Option<Caller>, Refusal> {
        match self.at_once(headers) {
            AtOnce::Known(decided) => decided,
            AtOnce::Ask(token) => self.ask(&token).await,
        }
        .map(|admitted| admitted.map(|admitted| admitted.caller))
    }

    /// Begins to fetch the issuer's keys, so that the first caller need not wait for them. A front end that checks
    /// signatures leaves none to check, and nothing is fetched behind one.
    ///
    /// Must be called within a tokio runtime.
    pub fn warm(&self) {
        if let Some(verifier) = &self.verifier
            && verifier.front.is_none()
        {
            verifier.jwks.warm();
        }
    }

    /// How many tokens are remembered.
    #[cfg(test)]
    pub(super) fn remembers(&self) -> usize {
        let held = |verifier: &Verifier| verifier.verified.len();
        self.verifier.as_ref().map_or(0, held)
    }

    /// Shows that nobody can bring a token without a signature past the front end, so that `platform` mode may believe
    /// one: calls this service at its own URL with such a token, forged, which must be refused on the way.
    ///
    /// Call it once, while the service is served: until it has ended well, calls whose signature was removed wait, and
    /// are then refused. On an error stop serving, for such calls never will be let in. Without a URL nothing can be
    /// shown, and a warning says what is relied on. In another mode there is nothing to show.
    pub async fn prove_front_end(&self, public_url: Option<&Url>) -> Result<(), NotFronted> {
        let Some(verifier) = &self.verifier else {
            return Ok(());
        };
        match (&verifier.front, public_url) {
            (None, _) => Ok(()),
            (Some(front), None) => {
                front.rely_on_the_platform();
                Ok(())
            }
            (Some(front), Some(url)) => front.prove(url, &verifier.settings).await,
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
                Some(admitted) => AtOnce::Known(Ok(Some(admitted))),
                None => AtOnce::Ask(Asked {
                    token: token.to_owned(),
                    checked: is_the_checked_one(headers),
                }),
            },
        }
    }

    /// The rest of the way, for a token that was not met before.
    pub(super) async fn ask(&self, asked: &Asked) -> Decision {
        match &self.verifier {
            Some(verifier) => verifier.verify(asked, claims::now()).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Who is let in, nobody in particular, or why not.
pub(super) type Decision = Result<Option<Admitted>, Refusal>;

/// A decision, or the token that it takes longer to decide on.
pub(super) enum AtOnce {
    Known(Decision),
    Ask(Asked),
}

/// A token that was not met before.
pub(super) struct Asked {
    token: String,
    /// Whether it is the one that a front end would have checked.
    checked: bool,
}

#[derive(Debug)]
struct Verifier {
    settings: GuardSettings,
    jwks: Jwks,
    verified: Verified,
    /// In `platform` mode alone.
    front: Option<Front>,
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
        let front = (settings.mode == Mode::Platform).then(Front::new);
        Ok(Self {
            settings,
            jwks,
            verified: Verified::default(),
            front,
        })
    }

    fn remembered(&self, token: &str, now: i64) -> Option<Admitted> {
        self.verified
            .get(token, now, |kid| self.jwks.published(kid))
    }

    /// The signature first, then the claims: what is not signed by the issuer is not even read.
    async fn verify(&self, asked: &Asked, now: i64) -> Result<Admitted, Refusal> {
        let Asked { token, checked } = asked;
        let jws = jws::parse(token)?;
        if let Some(front) = &self.front
            && *checked
            && jws.signature == REMOVED
        {
            return self.believe(&jws, front, now).await;
        }
        let key = self.jwks.key(&jws.kid).await?;
        check_signature(&jws, &key)?;
        let claims = Claims::parse(&jws.payload)?;
        let until = claims.accepted_until();
        let admitted = Admitted::new(claims.check(&self.settings, now)?);
        self.verified
            .put(token, jws.kid, admitted.clone(), until, now);
        Ok(admitted)
    }

    /// The claims alone: the front end has checked the signature. Such a token is not remembered, for what it is worth
    /// depends on the headers beside it, and reading it costs little.
    async fn believe(&self, jws: &Jws<'_>, front: &Front, now: i64) -> Result<Admitted, Refusal> {
        let claims = Claims::parse(&jws.payload)?;
        front.recognise(claims.subject())?;
        let caller = claims.check(&self.settings, now)?;
        front.believed().await?;
        Ok(Admitted::new(caller))
    }
}

/// The algorithm is ours, whatever the token says.
fn check_signature(jws: &Jws<'_>, key: &DecodingKey) -> Result<(), Refusal> {
    match crypto::verify(jws.signature, jws.signed.as_bytes(), key, Algorithm::RS256) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Refusal::Signature),
    }
}
