//! The issuer of ID tokens: Google's by name, with keys of its own.

use std::{
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    accounts::{Accounts, subject},
    keys::Keys,
};

/// What every token calls its issuer.
pub const ISSUER: &str = "https://accounts.google.com";

/// An ID token's life, in seconds.
const LIFE: i64 = 3_600;

/// The issuer of ID tokens. Clones are the same issuer.
#[derive(Clone)]
pub struct Issuer {
    inner: Arc<Inner>,
}

/// Whom a token that was verified is about.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Principal {
    sub: String,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
}

struct Inner {
    token_uri: String,
    keys: Keys,
    accounts: Accounts,
    fetches: AtomicU64,
    dead: AtomicBool,
}

impl Issuer {
    /// An issuer at this address, with keys of its own, for these service accounts; the first is the machine's own.
    pub(crate) fn new(accounts: &[String], address: SocketAddr) -> Self {
        let inner = Inner {
            token_uri: format!("http://{address}{}", super::TOKEN_PATH),
            keys: Keys::default(),
            accounts: Accounts::new(accounts),
            fetches: AtomicU64::new(0),
            dead: AtomicBool::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// An ID token as Google gives it to this account for this audience, with its email.
    pub fn mint(&self, email: &str, audience: &str) -> String {
        self.sign(&self.claims(email, audience), &json!({}))
    }

    /// The claims of [`mint`](Self::mint), to be changed before they are [signed](Self::sign).
    pub fn claims(&self, email: &str, audience: &str) -> Value {
        let mut claims = short_claims(email, audience);
        claims["email"] = email.into();
        claims["email_verified"] = true.into();
        claims
    }

    /// Any claims, signed with RS256 by the current key. The header is `alg`, `typ` and `kid`, overridden by `header`;
    /// `null` leaves a parameter out. The signature is always RS256's, whatever the header names.
    pub fn sign(&self, claims: &Value, header: &Value) -> String {
        let key = self.inner.keys.signing();
        let mut full = json!({"alg": "RS256", "kid": key.id, "typ": "JWT"});
        for (parameter, value) in header.as_object().into_iter().flatten() {
            if value.is_null() {
                full.as_object_mut().map(|full| full.remove(parameter));
            } else {
                full[parameter] = value.clone();
            }
        }
        key.sign(&full, claims)
    }

    /// Signs with a new key from now on. The one before stays published, the one before that does not.
    pub fn rotate(&self) {
        self.inner.keys.rotate();
    }

    /// Whom this ID token is about, when it is one of this issuer's for one of these audiences, and is not expired.
    pub(crate) fn verify(&self, token: &str, audiences: &[String]) -> Option<Principal> {
        let key = self.inner.keys.find(&decode_header(token).ok()?.kid?)?;
        let mut rules = Validation::new(Algorithm::RS256);
        rules.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(audiences);
        let verified = decode(token, key.verifying(), &rules).ok()?;
        Some(verified.claims)
    }

    /// The account of this access token, when it was issued as one.
    pub(crate) fn holder(&self, access_token: &str) -> Option<String> {
        self.inner.accounts.holder(access_token)
    }

    /// The published keys as a JWK set.
    pub fn jwks(&self) -> Value {
        self.inner.keys.published()
    }

    /// How often the keys were fetched over HTTP.
    pub fn jwks_fetches(&self) -> u64 {
        self.inner.fetches.load(Ordering::Acquire)
    }

    /// A key file of this account, as Google's console downloads it, but with this emulator's `token_uri`. An account
    /// that was not known is from then on.
    pub fn service_account_file(&self, email: &str) -> Value {
        let key = self.inner.accounts.key_for(email);
        json!({
            "type": "service_account",
            "project_id": super::PROJECT,
            "private_key_id": key.id,
            "private_key": key.pem(),
            "client_email": email,
            "client_id": subject(email),
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": self.inner.token_uri,
            "universe_domain": "googleapis.com",
        })
    }

    /// Resets the connections of callers that ask for tokens or keys over HTTP, until it is [revived](Self::revive).
    pub fn kill(&self) {
        self.inner.dead.store(true, Ordering::Release);
    }

    /// Answers again.
    pub fn revive(&self) {
        self.inner.dead.store(false, Ordering::Release);
    }

    pub(super) fn is_dead(&self) -> bool {
        self.inner.dead.load(Ordering::Acquire)
    }

    /// An ID token without the email: the metadata server's and IAM's answer unless the caller asks for it.
    pub(super) fn mint_short(&self, email: &str, audience: &str) -> String {
        self.sign(&short_claims(email, audience), &json!({}))
    }

    pub(super) fn accounts(&self) -> &Accounts {
        &self.inner.accounts
    }

    pub(super) fn token_uri(&self) -> &str {
        &self.inner.token_uri
    }

    pub(super) fn count_fetch(&self) {
        self.inner.fetches.fetch_add(1, Ordering::AcqRel);
    }
}

impl Principal {
    /// Whether this account is meant. A token without an email names it by its number alone.
    pub(crate) fn is(&self, account: &str) -> bool {
        match &self.email {
            Some(email) => self.email_verified && email == account,
            None => self.sub == subject(account),
        }
    }
}

fn short_claims(email: &str, audience: &str) -> Value {
    let now = Timestamp::now().as_second();
    let subject = subject(email);
    json!({
        "iss": ISSUER,
        "azp": subject,
        "aud": audience,
        "sub": subject,
        "iat": now,
        "exp": now + LIFE,
    })
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("token_uri", &self.inner.token_uri).finish_non_exhaustive()
    }
}
