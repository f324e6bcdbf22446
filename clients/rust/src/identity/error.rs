//! Why there is no ID token.

use std::path::PathBuf;

/// Why there is no ID token. No variant holds a token, a key, or a response's body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file that `GOOGLE_APPLICATION_CREDENTIALS` names cannot be read.
    #[error("GOOGLE_APPLICATION_CREDENTIALS names {}, which cannot be read: {why}; correct the variable or unset it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        why: String,
    },
    /// The file is not a service account's key file.
    #[error("GOOGLE_APPLICATION_CREDENTIALS names {}, which is not a service account's key file: {why}", path.display())]
    NotServiceAccount {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A source did not answer: it is down for now, or must be started.
    #[error("{source_name} does not answer: {why}")]
    Away {
        /// The source.
        source_name: String,
        /// What happened.
        why: String,
    },
    /// A source refused.
    #[error("{source_name} refused: HTTP {status}{why}")]
    Refused {
        /// The source.
        source_name: String,
        /// The HTTP status.
        status: u16,
        /// The likely reason and the fix; empty, or begins with a space.
        why: String,
    },
    /// A source returned something other than a usable token.
    #[error("{source_name} returned no usable token: {why}")]
    BadToken {
        /// The source.
        source_name: String,
        /// What is wrong with it.
        why: String,
    },
    /// No source is configured, and there is no metadata server.
    #[error(
        "no source of ID tokens: neither BRIGADE_IMPERSONATE nor GOOGLE_APPLICATION_CREDENTIALS is set, and {tried}; \
         on a laptop set BRIGADE_IMPERSONATE to a service account that you may act as, elsewhere set \
         GOOGLE_APPLICATION_CREDENTIALS to a service account's key file, or run where there is a metadata server (Cloud Run, \
         Compute Engine)"
    )]
    NoSource {
        /// Why the metadata server does not count.
        tried: String,
    },
    /// `BRIGADE_IMPERSONATE` is not an account.
    #[error(
        "BRIGADE_IMPERSONATE is {0:?}, which is not a service account's email; give NAME@PROJECT.iam.gserviceaccount.com"
    )]
    NotAnAccount(String),
    /// An access token could be read on its way to this endpoint.
    #[error(
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS is {0:?}; expected an https URL, or one of this machine"
    )]
    NotAnEndpoint(String),
    /// No metadata server can be at this address.
    #[error("GCE_METADATA_HOST is {0:?}; expected a host, or HOST:PORT")]
    NotAHost(String),
    /// A variable is not UTF-8.
    #[error("{0} holds bytes that are not UTF-8; correct the variable or unset it")]
    NotText(&'static str),
    /// There are no credentials to impersonate with.
    #[error(
        "BRIGADE_IMPERSONATE needs credentials of your own, and {why}; run `gcloud auth application-default login`"
    )]
    NoUser {
        /// What is missing.
        why: String,
    },
    /// The token could be read on its way there.
    #[error(
        "an ID token is sent over https or to this machine only, and {0} is neither; use its https URL"
    )]
    NotConfidential(String),
}

impl Error {
    pub(super) fn away(source_name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Away { source_name: source_name.into(), why: why.into() }
    }

    pub(super) fn bad_token(source_name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::BadToken { source_name: source_name.into(), why: why.into() }
    }

    /// Whether the source answered, and asks for time: 429 or 5xx.
    pub(super) fn is_asked_again(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == 429 || *status >= 500)
    }

    /// Whether it can pass with time, without human action.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Refused { .. } => self.is_asked_again(),
            Self::Unreadable { .. }
            | Self::NotServiceAccount { .. }
            | Self::BadToken { .. }
            | Self::NoSource { .. }
            | Self::NoUser { .. }
            | Self::NotText(_)
            | Self::NotAnAccount(_)
            | Self::NotAnEndpoint(_)
            | Self::NotAHost(_)
            | Self::NotConfidential(_) => false,
        }
    }
}
