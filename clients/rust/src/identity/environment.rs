//! Which source of ID tokens this environment has, in the order of Google's own libraries.

use std::{path::PathBuf, sync::Arc};

use super::{
    TokenSource, cache::Cached, error::Error, metadata::MetadataServer,
    service_account::ServiceAccountFile,
};

/// What the environment says of identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `GOOGLE_APPLICATION_CREDENTIALS`: a service account's key file.
    pub google_application_credentials: Option<PathBuf>,
    /// `GCE_METADATA_HOST`: the metadata server, when it is not the usual one.
    pub gce_metadata_host: Option<String>,
}

impl Environment {
    /// As this process was started. An empty variable counts as not set.
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// As `lookup` says, by the variables' names.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let given = |name| lookup(name).filter(|value| !value.is_empty());
        Self {
            google_application_credentials: given("GOOGLE_APPLICATION_CREDENTIALS")
                .map(PathBuf::from),
            gce_metadata_host: given("GCE_METADATA_HOST"),
        }
    }
}

/// The source that this environment has, with its tokens cached.
///
/// 1. The key file that `GOOGLE_APPLICATION_CREDENTIALS` names. A wrong one is an error, and never falls through.
/// 2. The metadata server. Whether there is one shows when the first token is fetched.
pub fn source(environment: &Environment) -> Result<Arc<dyn TokenSource>, Error> {
    Ok(match &environment.google_application_credentials {
        Some(path) => Arc::new(Cached::new(ServiceAccountFile::read(path)?)),
        None => Arc::new(Cached::new(MetadataServer::new(
            environment.gce_metadata_host.as_deref(),
        ))),
    })
}
