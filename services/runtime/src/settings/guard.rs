//! Who may call a service.

use url::Url;

use super::{
    names,
    problems::{Problem, Problems, list},
    server::ServerSettings,
};
use crate::guard::{GOOGLE_ISSUERS, GOOGLE_JWKS, GuardSettings, Mode};

/// Who may call, as given.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct GuardArgs {
    /// How callers are checked: verify, or off (on a loopback address only) [default: verify]
    #[arg(long, env = names::AUTH, value_name = "MODE")]
    pub auth: Option<String>,
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
        let form = "verify or off";
        let mode = problems.or(names::AUTH, self.auth.as_deref(), Mode::Verify, form, str::parse)?;
        if mode == Mode::Off {
            return Self::off(server, problems);
        }
        let audiences = Self::some(names::AUDIENCE, self.audience.as_deref(), "this service's own URL", problems);
        let allowed_callers = Self::some(
            names::ALLOWED_CALLERS,
            self.allowed_callers.as_deref(),
            "the emails of the accounts that may call, separated by commas",
            problems,
        );
        let google = Url::parse(GOOGLE_JWKS).ok();
        let jwks_url = match (problems.optional(names::JWKS_URL, self.jwks_url.as_deref(), "a URL", Url::parse)?, google) {
            (Some(url), _) | (None, Some(url)) => Some(url),
            (None, None) => None,
        };
        let issuers = match list(self.issuers.as_deref()) {
            given if given.is_empty() => GOOGLE_ISSUERS.map(str::to_owned).to_vec(),
            given => given,
        };
        Some(GuardSettings {
            mode,
            audiences: audiences?,
            allowed_callers: allowed_callers?,
            issuers,
            jwks_url: jwks_url?,
        })
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

    fn some(
        setting: &'static str,
        given: Option<&str>,
        form: &'static str,
        problems: &mut Problems,
    ) -> Option<Vec<String>> {
        let given = list(given);
        if given.is_empty() {
            problems.push(Problem::Missing { setting, form });
            return None;
        }
        Some(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(ip: &str) -> ServerSettings {
        ServerSettings { address: format!("{ip}:8080").parse().unwrap() }
    }

    fn resolve(args: &GuardArgs, ip: &str) -> Result<GuardSettings, String> {
        let mut problems = Problems::default();
        let settings = args.resolve(Some(&server(ip)), &mut problems);
        problems.into_result().map_err(|error| error.to_string())?;
        Ok(settings.expect("no problem means settings"))
    }

    #[test]
    fn off_is_refused_unless_bound_to_loopback() {
        let args = GuardArgs { auth: Some("off".into()), ..GuardArgs::default() };
        assert!(resolve(&args, "0.0.0.0").unwrap_err().contains("BRIGADE_BIND=127.0.0.1"));
        assert_eq!(resolve(&args, "127.0.0.1").unwrap().mode, Mode::Off);
    }

    #[test]
    fn verify_needs_an_audience_and_callers_and_says_both() {
        let text = resolve(&GuardArgs::default(), "0.0.0.0").unwrap_err();
        assert!(text.contains("BRIGADE_AUDIENCE") && text.contains("BRIGADE_ALLOWED_CALLERS"), "{text}");
    }

    #[test]
    fn google_is_the_issuer_unless_another_is_named() {
        let args = GuardArgs {
            audience: Some("https://a".into()),
            allowed_callers: Some("x@y".into()),
            ..GuardArgs::default()
        };
        let settings = resolve(&args, "0.0.0.0").unwrap();
        assert_eq!(settings.issuers, GOOGLE_ISSUERS);
        assert_eq!(settings.jwks_url.as_str(), GOOGLE_JWKS);
    }

    #[test]
    fn an_unknown_mode_names_the_allowed_ones() {
        let args = GuardArgs { auth: Some("none".into()), ..GuardArgs::default() };
        let text = resolve(&args, "127.0.0.1").unwrap_err();
        assert!(text.contains("\"none\", which is not verify or off"), "{text}");
    }
}
