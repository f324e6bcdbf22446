//! Who may call a service.

use std::net::SocketAddr;

use url::Url;

use super::mode::{GOOGLE_ISSUERS, GOOGLE_JWKS, GuardSettings, Mode};
use crate::local_site::LocalSite;
use crate::settings::{
    Given, Problems, audiences, choice, emails, form, hosts, identifiers, is_loopback, names,
    optional, setting, url,
};

/// Who may call, as given.
#[derive(Clone, Debug, clap::Args)]
pub struct GuardArgs {
    /// How callers are checked: verify checks every signature; platform trusts Cloud Run's front end to have checked it,
    /// on Cloud Run only; off checks nothing, on a loopback address only
    #[arg(long, env = names::AUTH, value_name = "MODE", default_value = "verify",
        value_parser = setting(choice::<Mode>))]
    auth: Given<Mode>,
    /// This service's own URL: with --auth platform, the service verifies, at its start and every 5 minutes, that Cloud Run's
    /// front end refuses unauthenticated calls there; with --dispatch tasks, tasks are sent there
    #[arg(long, env = names::PUBLIC_URL, value_name = "URL", default_value = "", hide_default_value = true,
        value_parser = optional(form("this service's own https URL", protected_url)))]
    public_url: Given<Option<Url>>,
    /// The service's name; Cloud Run sets it, and --auth platform starts only where it is set
    #[arg(long, env = names::K_SERVICE, value_name = "NAME", hide = true)]
    k_service: Option<String>,
    /// The audiences that callers' tokens must name, separated by commas: this service's own URL
    #[arg(long, env = names::AUDIENCE, value_name = "URLS", default_value = "", hide_default_value = true,
        value_parser = setting(form("this service's own URL, such as https://poller-abc.a.run.app", audiences)))]
    audience: Given<Vec<String>>,
    /// The emails of the accounts that may call, separated by commas
    #[arg(long, env = names::ALLOWED_CALLERS, value_name = "EMAILS", default_value = "", hide_default_value = true,
        value_parser = setting(form("the emails of the accounts that may call, separated by commas", emails)))]
    allowed_callers: Given<Vec<String>>,
    /// Where the issuer's signing keys are
    #[arg(long, env = names::JWKS_URL, value_name = "URL", default_value = GOOGLE_JWKS,
        value_parser = setting(form("an https URL", protected_url)))]
    jwks_url: Given<Url>,
    /// The issuers whose tokens are accepted, separated by commas [default: Google's]
    #[arg(long, env = "BRIGADE_ISSUERS", value_name = "ISSUERS", default_value = "", hide_default_value = true,
        value_parser = setting(form("issuers, separated by commas", identifiers)))]
    issuers: Given<Vec<String>>,
    /// With --auth off: hosts beside localhost and 127.0.0.1 by which the service may be called, separated by commas; a proxy
    /// on this machine may pass on its own [default: none]
    #[arg(long, env = "BRIGADE_ALLOW_HOST", value_name = "HOSTS", default_value = "", hide_default_value = true,
        value_parser = setting(form("hosts, separated by commas", hosts)))]
    allow_host: Given<Vec<String>>,
}

impl GuardArgs {
    /// The same for a check of them in another place than the service's: whether Cloud Run runs the service is not seen there.
    #[must_use]
    pub fn elsewhere(self) -> Self {
        Self { k_service: Some("elsewhere".to_owned()), ..self }
    }

    /// Resolves all, and notes every problem.
    ///
    /// A guard that is switched off is refused on every address that another machine could reach.
    pub fn resolve(
        &self,
        address: Option<SocketAddr>,
        problems: &mut Problems,
    ) -> Option<GuardSettings> {
        let mode = self.auth.get(problems);
        if mode == Some(Mode::Off) {
            return off(address?, problems);
        }
        if mode == Some(Mode::Platform) {
            self.require_cloud_run(problems);
        }
        let audiences = self.audience.get(problems);
        let allowed_callers = self.allowed_callers.get(problems);
        let jwks_url = self.jwks_url.get(problems);
        let issuers = self.issuers.get(problems)?;
        let issuers =
            if issuers.is_empty() { GOOGLE_ISSUERS.map(str::to_owned).to_vec() } else { issuers };
        if mode == Some(Mode::Platform)
            && let (Some(Some(url)), Some(audiences)) = (self.public_url(problems), &audiences)
        {
            one_of_ours(&url, audiences, problems);
        }
        Some(GuardSettings {
            mode: mode?,
            audiences: audiences?,
            allowed_callers: allowed_callers?,
            rights: Vec::new(),
            issuers,
            jwks_url: jwks_url?,
        })
    }

    /// This service's own URL, if it has one. The outer option is empty when the URL is wrong.
    #[allow(clippy::option_option, reason = "left out and wrong are two things")]
    pub fn public_url(&self, problems: &mut Problems) -> Option<Option<Url>> {
        self.public_url.get(problems)
    }

    /// The hosts by which it may be called without a token.
    pub(crate) fn site(&self, problems: &mut Problems) -> Option<LocalSite> {
        self.allow_host.get(problems).map(LocalSite::new)
    }

    /// Anywhere else a token without a signature is a forged one.
    fn require_cloud_run(&self, problems: &mut Problems) {
        let service = self.k_service.as_deref().unwrap_or_default();
        if service.trim().is_empty() {
            let (service, auth) = (names::K_SERVICE, names::AUTH);
            let why = format!(
                "platform trusts what Cloud Run's front end has checked, and this is not Cloud Run: {service} is not set; \
                 set {auth}=verify"
            );
            problems.conflict(auth, why);
        }
    }
}

fn off(address: SocketAddr, problems: &mut Problems) -> Option<GuardSettings> {
    if address.ip().is_loopback() {
        return Some(GuardSettings::off());
    }
    let (bind, auth) = (names::BIND, names::AUTH);
    let why = format!(
        "off would admit every caller that reaches {address}; set {bind}=127.0.0.1, or {auth}=verify"
    );
    problems.conflict(auth, why);
    None
}

/// The refusal of another service's front end proves nothing about this service.
fn one_of_ours(url: &Url, audiences: &[String], problems: &mut Problems) {
    let urls: Vec<_> = audiences.iter().filter_map(|audience| self::url(audience).ok()).collect();
    if urls.is_empty() || urls.iter().any(|audience| audience.origin() == url.origin()) {
        return;
    }
    let (audience, auth) = (names::AUDIENCE, names::AUTH);
    let why = format!(
        "with {auth}=platform it must be this service's own URL, and {url} is none of {audience}; fix: give the URL of this \
         service in both"
    );
    problems.conflict(names::PUBLIC_URL, why);
}

/// The keys decide who is admitted, so they come over TLS or from this machine.
fn protected_url(given: &str) -> Result<Url, String> {
    let url = url(given)?;
    if url.scheme() == "https" || is_loopback(&url) {
        Ok(url)
    } else {
        Err("plain http is for addresses of this machine only".to_owned())
    }
}
