//! How callers are checked.

use url::Url;

use super::error::Refusal;

/// Google's signing keys, as RFC 7517 sets: the `jwks_uri` of <https://accounts.google.com/.well-known/openid-configuration>.
pub const GOOGLE_JWKS: &str = "https://www.googleapis.com/oauth2/v3/certs";

/// Both spellings of Google's issuer (AIP-4116).
pub const GOOGLE_ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

/// How callers are checked. The mode does not change at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// The signature and every claim.
    Verify,
    /// Every claim, and the signature unless Cloud Run's front end checked and removed it. For services whose callers
    /// send one `authorization` header through its IAM check.
    Platform,
    /// Not at all; settings allow it on a loopback address only.
    Off,
}

/// Who may call, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSettings {
    /// How callers are checked.
    pub mode: Mode,
    /// A token must name one of these, exactly.
    pub audiences: Vec<String>,
    /// The token's email must be one of these, exactly.
    pub allowed_callers: Vec<String>,
    /// Routes that other accounts than those may call.
    pub rights: Vec<Right>,
    /// The token's issuer must be one of these, exactly.
    pub issuers: Vec<String>,
    /// Where the issuer's keys are.
    pub jwks_url: Url,
}

/// The right to call some routes. A route that any right names is closed to all accounts that have none for it, those of
/// `allowed_callers` too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// The setting that lists the accounts.
    pub setting: &'static str,
    /// The accounts, by the email in their tokens; there may be none.
    pub emails: Vec<String>,
    /// The paths, exactly.
    pub routes: &'static [&'static str],
}

impl GuardSettings {
    /// Whether the account has any right at all.
    pub(super) fn knows(&self, email: &String) -> bool {
        self.allowed_callers.contains(email)
            || self.rights.iter().any(|right| right.emails.contains(email))
    }

    /// Whether the account may call the path.
    pub(super) fn permits(&self, path: &str, email: &str) -> Result<(), Refusal> {
        let is_one_of = |emails: &[String]| emails.iter().any(|one| one == email);
        let mut rights = self.rights.iter().filter(|right| right.routes.contains(&path)).peekable();
        let Some(first) = rights.peek() else {
            return if is_one_of(&self.allowed_callers) { Ok(()) } else { Err(Refusal::Caller) };
        };
        let setting = first.setting;
        if rights.any(|right| is_one_of(&right.emails)) {
            Ok(())
        } else {
            Err(Refusal::Right(setting))
        }
    }

    /// No checks.
    ///
    /// # Panics
    ///
    /// Never: the URL is a constant.
    pub fn off() -> Self {
        Self {
            mode: Mode::Off,
            audiences: Vec::new(),
            allowed_callers: Vec::new(),
            rights: Vec::new(),
            issuers: Vec::new(),
            jwks_url: Url::parse(GOOGLE_JWKS).expect("Google's JWKS address is a URL"),
        }
    }
}
