//! Why it is not verified that a front end protects a service.

use reqwest::StatusCode;
use url::Url;

use crate::exit::Failure;

/// Why it is not verified that a front end protects this service.
#[derive(Debug, thiserror::Error)]
pub enum NotProtected {
    /// A forged token arrived.
    #[error("this service is public: a forged token that was sent to {0} reached it")]
    Public(Url),
    /// The response is neither a front end's refusal nor this service's own.
    #[error(
        "{url} answered a forged token with HTTP {status}; expected 401 or 403 from Cloud Run's IAM check"
    )]
    Unclear {
        /// Where the token was sent.
        url: Url,
        /// The response.
        status: StatusCode,
    },
    /// There was no response.
    #[error("cannot verify at {url} that a front end protects this service: {why}")]
    Unreachable {
        /// Where the token was sent.
        url: Url,
        /// The last failure.
        why: String,
    },
    /// Over plain HTTP another machine could answer in the front end's place.
    #[error("cannot verify at {0} that a front end protects this service: the URL is not https")]
    Plain(Url),
}

impl NotProtected {
    /// The fix.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Public(_) => {
                "revoke roles/run.invoker from allUsers and enable the service's IAM check, or check signatures in this \
                 service with BRIGADE_AUTH=verify"
            }
            Self::Unclear { .. } => {
                "check that BRIGADE_PUBLIC_URL is this service's own URL; if the service cannot call it, as with internal \
                 ingress, use BRIGADE_AUTH=verify"
            }
            Self::Unreachable { .. } => {
                "check BRIGADE_PUBLIC_URL and this service's egress; if it has none, use BRIGADE_AUTH=verify"
            }
            Self::Plain(_) => "set BRIGADE_PUBLIC_URL to an https URL",
        }
    }
}

impl From<NotProtected> for Failure {
    fn from(error: NotProtected) -> Self {
        let hint = error.hint();
        match error {
            NotProtected::Public(_) => Self::permission(error, hint),
            NotProtected::Plain(_) => Self::usage(error, hint),
            NotProtected::Unclear { .. } | NotProtected::Unreachable { .. } => {
                Self::unavailable(error, hint)
            }
        }
    }
}
