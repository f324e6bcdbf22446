//! Who may call a service.

use url::Url;

use super::{
    names,
    parse::{is_loopback, list, url},
    problems::{Problem, Problems},
    server::ServerSettings,
};
use crate::guard::{GOOGLE_ISSUERS, GOOGLE_JWKS, GuardSettings, Mode};

/// Who may call, as given.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct GuardArgs {
    /// How callers are checked: verify, platform (on Cloud Run, behind its IAM check), or off (on a loopback address
    /// only) [default: verify]
    #[arg(long, env = names::AUTH, value_name = "MODE")]
    pub auth: Option<String>,
    /// This service's own URL: with --auth platform, the service proves at its start that nobody can call it there
    /// without Cloud Run's IAM check
    #[arg(long, env = names::PUBLIC_URL, value_name = "URL")]
    pub public_url: Option<String>,
    /// Set by Cloud Run, and by nobody else.
    #[arg(long, env = names::K_SERVICE, hide = true)]
    pub k_service: Option<String>,
    /// The audiences that callers' tokens must name, separated by commas: this service's own URL
    #[arg(long, env = names::AUDIENCE, value_name = "URLS")]
    pub audience: Option<String>,
    /// The emails of the accounts that may call, separated by commas
    #[arg(long, env = names::ALLOWED_CALLERS, value_name = "EMAILS")]
    pub allowed_callers: Option<String>,
    /// Where the issuer's signing keys are [default: Google's]
    #[arg(long, env = names::JWKS_URL, value_name = "URL")]
    pub jwks_url: Option<String>,
    /// The issuers whose tokens are accepted, separated by commas [default: Google]
    #[arg(long, env = names::ISSUERS, value_name = "ISSUERS")]
    pub issuers: Option<String>,
}

impl GuardArgs {
    /// Resolves all, and notes every problem.
    ///
    /// A guard that is switched off is refused on every address that another machine could reach.
    pub fn resolve(
        &self,
        server: Option<&ServerSettings>,
        problems: &mut Problems,
    ) -> Option<GuardSettings> {
        let form = "verify, platform or off";
        let mode = problems.or(
            names::AUTH,
            self.auth.as_deref(),
            Mode::Verify,
            form,
            str::parse,
        );
        if mode == Some(Mode::Off) {
            return Self::off(server, problems);
        }
        if mode == Some(Mode::Platform) {
            self.on_cloud_run(problems);
        }
        let audiences = some(
            names::AUDIENCE,
            self.audience.as_deref(),
            "this service's own URL",
            problems,
        );
        let allowed_callers = self.callers(problems);
        let jwks_url = problems.or(
            names::JWKS_URL,
            self.jwks_url.as_deref(),
            google_jwks(),
            "an https URL",
            protected_url,
        );
        let issuers = match list(self.issuers.as_deref().unwrap_or_default()) {
            given if given.is_empty() => GOOGLE_ISSUERS.map(str::to_owned).to_vec(),
            given => given,
        };
        Some(GuardSettings {
            mode: mode?,
            audiences: audiences?,
            allowed_callers: allowed_callers?,
            issuers,
            jwks_url: jwks_url?,
        })
    }

    /// This service's own URL, for [`Guard::prove_front_end`](crate::guard::Guard::prove_front_end). The outer option is
    /// empty when it was given and is wrong.
    #[allow(clippy::option_option, reason = "left out and wrong are two things")]
    pub fn public_url(&self, problems: &mut Problems) -> Option<Option<Url>> {
        problems.optional(
            names::PUBLIC_URL,
            self.public_url.as_deref(),
            "this service's own https URL",
            protected_url,
        )
    }

    /// Anywhere else nobody removes signatures but forgers.
    fn on_cloud_run(&self, problems: &mut Problems) {
        let service = self.k_service.as_deref().unwrap_or_default();
        if service.trim().is_empty() {
            problems.push(Problem::Conflict {
                setting: names::AUTH,
                why: format!(
                    "platform believes what Cloud Run's front end has checked, and this is not Cloud Run: {} is not set; \
                     set {}=verify",
                    names::K_SERVICE,
                    names::AUTH
                ),
            });
        }
    }

    fn off(server: Option<&ServerSettings>, problems: &mut Problems) -> Option<GuardSettings> {
        let address = server?.address;
        if address.ip().is_loopback() {
            return Some(GuardSettings::off());
        }
        problems.push(Problem::Conflict {
            setting: names::AUTH,
            why: format!(
                "off would let anybody who reaches {address} in; set {}=127.0.0.1, or {}=verify",
                names::BIND,
                names::AUTH
            ),
        });
        None
    }

    /// An account is named by its email; anything else would let nobody in, and say so only call by call.
    fn callers(&self, problems: &mut Problems) -> Option<Vec<String>> {
        const FORM: &str = "the emails of the accounts that may call, separated by commas";
        let callers = some(
            names::ALLOWED_CALLERS,
            self.allowed_callers.as_deref(),
            FORM,
            problems,
        )?;
        let wrong = callers
            .iter()
            .find(|caller| !caller.contains('@') || caller.contains(char::is_whitespace));
        if let Some(wrong) = wrong {
            problems.push(Problem::Invalid {
                setting: names::ALLOWED_CALLERS,
                given: self.allowed_callers.clone().unwrap_or_default(),
                form: FORM,
                why: format!("{wrong:?} is not an email"),
            });
            return None;
        }
        Some(callers)
    }
}

/// A list that must have something in it.
fn some(
    setting: &'static str,
    given: Option<&str>,
    form: &'static str,
    problems: &mut Problems,
) -> Option<Vec<String>> {
    let given = list(given.unwrap_or_default());
    if given.is_empty() {
        problems.push(Problem::Missing { setting, form });
        return None;
    }
    Some(given)
}

/// Whoever can change the answer can let anybody in, so it comes over TLS or from this machine.
fn protected_url(given: &str) -> Result<Url, String> {
    let url = url(given)?;
    if url.scheme() == "https" || is_loopback(&url) {
        Ok(url)
    } else {
        Err("plain http is for addresses of this machine only".to_owned())
    }
}

fn google_jwks() -> Url {
    Url::parse(GOOGLE_JWKS).expect("Google's JWKS address is a URL")
}
