//! An ID token, which `Debug` never prints.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;
use serde::Deserialize;
use tokio::time::Instant;

use super::error::Error;

/// A token for one audience. Its `Debug` shows its expiry and nothing else. Cloning is cheap.
#[derive(Clone)]
pub struct IdToken {
    secret: Arc<str>,
    /// `Bearer …`, made once for all calls.
    bearer: HeaderValue,
    expires: Instant,
}

/// The claims of a token, unverified: verification is the callee's task.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// The audience.
    pub aud: String,
    /// When it expires, in seconds since 1970.
    pub exp: u64,
    /// The account's email, in the full format.
    #[serde(default)]
    pub email: Option<String>,
    /// The issuer.
    #[serde(default)]
    pub iss: Option<String>,
    /// The account's number, which stays when the account is renamed.
    #[serde(default)]
    pub sub: Option<String>,
}

impl IdToken {
    /// Parses a token that a source returned. One for another audience, or an expired one, is refused here: the source is
    /// broken then, and the callee's refusal would explain less.
    pub fn parse(secret: &str, audience: &str, source: &str) -> Result<Self, Error> {
        let secret = secret.trim();
        let bad = |why: String| Error::bad_token(source, why);
        let claims = claims(secret).ok_or_else(|| bad("it is not an ID token".into()))?;
        if claims.aud != audience {
            return Err(bad(format!("its audience is not {audience}")));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let left = claims.exp.saturating_sub(now);
        if left == 0 {
            return Err(bad("it is expired".into()));
        }
        // A day is more than any issuer grants, and prevents an overflow.
        let left = Duration::from_secs(left.min(24 * 3600));
        let mut bearer = HeaderValue::try_from(format!("Bearer {secret}"))
            .map_err(|_| bad("it does not fit into an HTTP header".into()))?;
        // Keeps it out of the header's Debug, and out of HTTP/2's compression table.
        bearer.set_sensitive(true);
        Ok(Self { secret: secret.into(), bearer, expires: Instant::now() + left })
    }

    /// The token itself: to send, never to show.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The value of an `authorization` header that carries it, marked as sensitive.
    pub fn bearer(&self) -> &HeaderValue {
        &self.bearer
    }

    /// Its claims; never `None` for a token that was parsed here.
    pub fn claims(&self) -> Option<Claims> {
        claims(&self.secret)
    }

    /// When it expires.
    pub fn expires(&self) -> Instant {
        self.expires
    }
}

impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdToken")
            .field("secret", &"…")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

fn claims(secret: &str) -> Option<Claims> {
    let mut parts = secret.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let visible = secret.bytes().all(|b| b.is_ascii_graphic());
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok().filter(|_| visible)
}
