//! The claims of an ID token: every one required, each of its exact type.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::{error::Refusal, json, mode::GuardSettings};
use crate::{
    settings::names::{ALLOWED_CALLERS, AUDIENCE},
    telemetry::LineLimit,
};

/// How much two clocks may differ, in seconds.
const SKEW: i64 = 30;
/// In seconds. Google's tokens live for an hour.
const MAX_LIFETIME: i64 = 24 * 3600;

/// The log shows this much of an audience, in characters.
const LOGGED_AUDIENCE: usize = 256;

/// The caller that the token names. Handlers find it in the request's extensions. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The service account's email.
    pub email: Arc<str>,
    /// Its stable number.
    pub subject: Arc<str>,
}

/// The payload. Numbers are whole and of at most 63 bits; a claim of a wrong type is an error, and never counts as
/// absent (CVE-2026-25537).
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    exp: i64,
    iat: i64,
    #[serde(default, deserialize_with = "whole")]
    nbf: Option<i64>,
    email: Option<String>,
    email_verified: Option<bool>,
}

/// One audience, or several of which one has to be ours (RFC 7519, section 4.1.3).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    /// A slash at the end does not count: a URL without a path is written in both ways.
    fn is_one_of(&self, ours: &[String]) -> bool {
        self.all().iter().any(|aud| ours.iter().any(|one| bare(one) == bare(aud)))
    }

    fn all(&self) -> &[String] {
        match self {
            Self::One(aud) => std::slice::from_ref(aud),
            Self::Several(several) => several,
        }
    }

    /// The beginning of it, for the log; it is a stranger's text of any length.
    fn shown(&self) -> String {
        self.all().join(",").chars().take(LOGGED_AUDIENCE).collect()
    }
}

fn bare(audience: &str) -> &str {
    audience.strip_suffix('/').unwrap_or(audience)
}

/// A number; null counts as a wrong type and not as absent.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let number = i64::deserialize(deserializer)?;
    if number < 0 { Err(D::Error::custom("negative")) } else { Ok(Some(number)) }
}

impl Claims {
    pub(super) fn parse(payload: &[u8]) -> Result<Self, Refusal> {
        json::object(payload).map_err(|_| Refusal::Claims)
    }

    /// The token's subject.
    pub(super) fn subject(&self) -> &str {
        &self.sub
    }

    /// Whether these claims admit their caller at `now`, in seconds since 1970.
    pub(super) fn check(
        self,
        settings: &GuardSettings,
        now: i64,
        lines: &LineLimit,
    ) -> Result<Caller, Refusal> {
        if !settings.issuers.contains(&self.iss) {
            return Err(Refusal::Issuer);
        }
        if !self.aud.is_one_of(&settings.audiences) {
            if lines.allows() {
                tracing::info!(
                    came = self.aud.shown(),
                    accepted = settings.audiences.join(","),
                    "the token is for another audience; fix: the caller requests one that {AUDIENCE} accepts, or add the one that \
                     came to {AUDIENCE} if it is this service's own"
                );
            }
            return Err(Refusal::Audience);
        }
        self.check_times(now)?;
        if self.sub.is_empty() {
            return Err(Refusal::Subject);
        }
        let (Some(email), Some(true)) = (self.email, self.email_verified) else {
            return Err(Refusal::Email);
        };
        if !settings.knows(&email) {
            if lines.allows() {
                tracing::info!(
                    caller = email,
                    "token is valid, but the caller is not in {ALLOWED_CALLERS}; add its email there to allow it"
                );
            }
            return Err(Refusal::Caller);
        }
        Ok(Caller { email: email.into(), subject: self.sub.into() })
    }

    fn check_times(&self, now: i64) -> Result<(), Refusal> {
        if self.exp < 0 || self.iat < 0 {
            return Err(Refusal::Claims);
        }
        if now >= self.exp.saturating_add(SKEW) {
            return Err(Refusal::Expired);
        }
        if self.iat > now.saturating_add(SKEW) {
            return Err(Refusal::IssuedLater);
        }
        if self.nbf.is_some_and(|nbf| nbf > now.saturating_add(SKEW)) {
            return Err(Refusal::NotYet);
        }
        if self.exp < self.iat || self.exp - self.iat > MAX_LIFETIME {
            return Err(Refusal::Lifetime);
        }
        Ok(())
    }

    /// Until when a token with these claims is accepted, in seconds since 1970.
    pub(super) fn accepted_until(&self) -> i64 {
        self.exp.saturating_add(SKEW)
    }
}

/// Seconds since 1970; 0 for a clock before that, which no token survives.
pub(super) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since: Duration| since.as_secs().try_into().unwrap_or(i64::MAX))
}
