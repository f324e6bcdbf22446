//! Why no front end is known to stand before a service.

use reqwest::StatusCode;
use url::Url;

use crate::exit::Failure;

/// Why no front end is known to stand before this service.
#[derive(Debug, thiserror::Error)]
pub enum NotFronted {
    /// A forged token came through.
    #[error(
        "anybody can call this service: nothing stopped a forged token that was sent to it at {0}"
    )]
    Public(Url),
    /// The answer is neither a front end's refusal nor ours.
    #[error(
        "{url} answered a forged token with HTTP {status}, where Cloud Run's IAM check answers 401 or 403"
    )]
    Unclear {
        /// Where it was sent.
        url: Url,
        /// The answer.
        status: StatusCode,
    },
    /// There was no answer.
    #[error("cannot ask at {url} whether a front end stands before this service: {why}")]
    Unreachable {
        /// Where it was sent.
        url: Url,
        /// The last failure.
        why: String,
    },
    /// Anybody on the way could play the front end.
    #[error("a front end's answer from {0} would come unprotected")]
    Plain(Url),
}

impl NotFronted {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Public(_) => {
                "take roles/run.invoker from allUsers and switch the service's IAM check on, or check signatures here \
                 with BRIGADE_AUTH=verify"
            }
            Self::Unclear { .. } => {
                "check that BRIGADE_PUBLIC_URL is this service's own URL; where it cannot be called from within, as with \
                 internal ingress, use BRIGADE_AUTH=verify"
            }
            Self::Unreachable { .. } => {
                "check BRIGADE_PUBLIC_URL and this service's way out; where there is none, use BRIGADE_AUTH=verify"
            }
            Self::Plain(_) => "set BRIGADE_PUBLIC_URL to an https URL",
        }
    }
}

impl From<NotFronted> for Failure {
    fn from(error: NotFronted) -> Self {
        let hint = error.hint();
        match error {
            NotFronted::Public(_) => Self::permission(error, hint),
            NotFronted::Plain(_) => Self::usage(error, hint),
            NotFronted::Unclear { .. } | NotFronted::Unreachable { .. } => {
                Self::unavailable(error, hint)
            }
        }
    }
}
