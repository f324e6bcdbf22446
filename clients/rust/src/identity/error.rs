//! Why there is no ID token.

use std::path::PathBuf;

/// Why there is no ID token. No variant holds a token, a key, or what a server answered in its body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file that `GOOGLE_APPLICATION_CREDENTIALS` names cannot be read.
    #[error("GOOGLE_APPLICATION_CREDENTIALS names {}, which cannot be read: {why}; correct the variable or unset it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The file is no service account's.
    #[error("GOOGLE_APPLICATION_CREDENTIALS names {}, which is not a service account's key file: {why}", path.display())]
    NotServiceAccount {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A source did not answer: it heals with time, or somebody has to start it.
    #[error("{source_name} does not answer: {why}")]
    Away {
        /// What was asked.
        source_name: String,
        /// What was met.
        why: String,
    },
    /// A source answered that it will not.
    #[error("{source_name} refused: HTTP {status}{why}")]
    Refused {
        /// What was asked.
        source_name: String,
        /// The HTTP status.
        status: u16,
        /// What it said, in a word; empty or begins with a space.
        why: String,
    },
    /// A source answered something that cannot be sent.
    #[error("{source_name} answered something that is not a usable token: {why}")]
    BadToken {
        /// What was asked.
        source_name: String,
        /// What is wrong with it.
        why: String,
    },
    /// Everything was tried.
    #[error(
        "there is no source of ID tokens: neither BRIGADE_IMPERSONATE nor GOOGLE_APPLICATION_CREDENTIALS is set, and {tried}; \
         on a laptop set BRIGADE_IMPERSONATE to a service account that you may act as, elsewhere set \
         GOOGLE_APPLICATION_CREDENTIALS to a service account's key file, or run where there is a metadata server (Cloud Run, \
         Compute Engine)"
    )]
    NoSource {
        /// How the metadata server was missed.
        tried: String,
    },
    /// `BRIGADE_IMPERSONATE` is set to something else than an account.
    #[error(
        "BRIGADE_IMPERSONATE is {0:?}, which is not a service account's email; give NAME@PROJECT.iam.gserviceaccount.com"
    )]
    NotAnAccount(String),
    /// The place of IAM Credentials is no place for an access token.
    #[error(
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS is {0:?}, which is neither an https URL nor on this machine"
    )]
    NotAnEndpoint(String),
    /// A variable holds what can be none of its values.
    #[error("{0} holds bytes that are not UTF-8; correct the variable or unset it")]
    NotText(&'static str),
    /// There is nobody who could impersonate.
    #[error(
        "BRIGADE_IMPERSONATE needs credentials of your own, and {why}; run `gcloud auth application-default login`"
    )]
    NoUser {
        /// What was looked for.
        why: String,
    },
    /// The token would be readable on its way.
    #[error("an ID token goes over https or to this machine only, and {0} is neither")]
    NotConfidential(String),
}

impl Error {
    /// Heals with time and no human action.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            Self::Unreadable { .. }
            | Self::NotServiceAccount { .. }
            | Self::BadToken { .. }
            | Self::NoSource { .. }
            | Self::NoUser { .. }
            | Self::NotText(_)
            | Self::NotAnAccount(_)
            | Self::NotAnEndpoint(_)
            | Self::NotConfidential(_) => false,
        }
    }
}
