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

#[cfg(test)]
mod tests {
    use super::*;

    fn server(ip: &str) -> ServerSettings {
        ServerSettings {
            address: format!("{ip}:8080").parse().unwrap(),
        }
    }

    fn resolve(args: &GuardArgs, ip: &str) -> Result<GuardSettings, String> {
        let mut problems = Problems::default();
        let settings = args.resolve(Some(&server(ip)), &mut problems);
        problems.into_result().map_err(|error| error.to_string())?;
        Ok(settings.expect("no problem means settings"))
    }

    #[test]
    fn off_is_refused_unless_bound_to_loopback() {
        let args = GuardArgs {
            auth: Some("off".into()),
            ..GuardArgs::default()
        };
        assert!(
            resolve(&args, "0.0.0.0")
                .unwrap_err()
                .contains("BRIGADE_BIND=127.0.0.1")
        );
        assert_eq!(resolve(&args, "127.0.0.1").unwrap().mode, Mode::Off);
    }

    #[test]
    fn verify_needs_an_audience_and_callers_and_says_both() {
        let text = resolve(&GuardArgs::default(), "0.0.0.0").unwrap_err();
        assert!(
            text.contains("BRIGADE_AUDIENCE") && text.contains("BRIGADE_ALLOWED_CALLERS"),
            "{text}"
        );
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
        let args = GuardArgs {
            auth: Some("none".into()),
            ..GuardArgs::default()
        };
        let text = resolve(&args, "127.0.0.1").unwrap_err();
        assert!(
            text.contains("\"none\", which is not verify, platform or off"),
            "{text}"
        );
    }

    #[test]
    fn every_problem_of_the_guard_is_said_at_once() {
        let args = GuardArgs {
            auth: Some("none".into()),
            allowed_callers: Some("poller".into()),
            jwks_url: Some("http://keys.example/".into()),
            ..GuardArgs::default()
        };
        let text = resolve(&args, "0.0.0.0").unwrap_err();
        for part in [
            "BRIGADE_AUTH (--auth) is \"none\"",
            "BRIGADE_AUDIENCE is not set",
            "\"poller\" is not an email",
            "BRIGADE_JWKS_URL (--jwks-url) is \"http://keys.example/\"",
        ] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
    }

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        assert!(protected_url("https://keys.example/certs").is_ok());
        assert!(protected_url("http://127.0.0.1:9000/certs").is_ok());
        assert!(protected_url("http://keys.example/certs").is_err());
    }

    fn platform() -> GuardArgs {
        GuardArgs {
            auth: Some("platform".into()),
            audience: Some("https://a".into()),
            allowed_callers: Some("x@y".into()),
            k_service: Some("poller".into()),
            ..GuardArgs::default()
        }
    }

    #[test]
    fn platform_is_a_mode_on_cloud_run() {
        assert_eq!(
            resolve(&platform(), "0.0.0.0").unwrap().mode,
            Mode::Platform
        );
    }

    #[test]
    fn platform_is_refused_outside_cloud_run_on_every_address() {
        for k_service in [None, Some(String::new()), Some(" ".to_owned())] {
            for ip in ["0.0.0.0", "127.0.0.1"] {
                let args = GuardArgs {
                    k_service: k_service.clone(),
                    ..platform()
                };
                let text = resolve(&args, ip).unwrap_err();
                assert!(
                    text.contains("K_SERVICE is not set") && text.contains("BRIGADE_AUTH=verify"),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn cloud_run_alone_does_not_make_it_platform() {
        let args = GuardArgs {
            auth: None,
            ..platform()
        };
        assert_eq!(resolve(&args, "0.0.0.0").unwrap().mode, Mode::Verify);
    }

    #[test]
    fn the_public_url_is_protected_and_may_be_left_out() {
        let public_url = |given: Option<&str>| {
            let mut problems = Problems::default();
            let args = GuardArgs {
                public_url: given.map(str::to_owned),
                ..GuardArgs::default()
            };
            let url = args.public_url(&mut problems);
            problems
                .into_result()
                .map(|()| url.unwrap())
                .map_err(|error| error.to_string())
        };
        assert_eq!(public_url(None), Ok(None));
        assert_eq!(public_url(Some("")), Ok(None));
        let url = public_url(Some("https://poller-abc.a.run.app")).unwrap();
        assert_eq!(url.unwrap().host_str(), Some("poller-abc.a.run.app"));
        for wrong in ["http://poller-abc.a.run.app", "poller", "ftp://x"] {
            let text = public_url(Some(wrong)).unwrap_err();
            assert!(text.contains("BRIGADE_PUBLIC_URL (--public-url)"), "{text}");
        }
    }
}
