//! The source of ID tokens that this environment configures, in the order of Google's own libraries.

use std::{ffi::OsString, path::PathBuf, sync::Arc};

use super::{
    TokenSource,
    cache::Cached,
    error::Error,
    impersonate::Impersonated,
    metadata::{self, MetadataServer},
    service_account::ServiceAccountFile,
    user::Given,
    user_file::UserFile,
};

/// The variables that configure the identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `BRIGADE_IMPERSONATE`: the service account to act as.
    pub impersonate: Option<String>,
    /// `CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS`: another endpoint of IAM Credentials; `gcloud` reads it too.
    pub iam_credentials: Option<String>,
    /// `GOOGLE_APPLICATION_CREDENTIALS`: a service account's key file.
    pub google_application_credentials: Option<PathBuf>,
    /// `GCE_METADATA_HOST`: another address of the metadata server.
    pub gce_metadata_host: Option<String>,
}

impl Environment {
    /// From this process's environment. An empty variable counts as unset.
    ///
    /// # Errors
    /// When a variable other than a path is not UTF-8: to ignore it would select another identity than the configured one.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    /// From `lookup`, which returns a variable's value.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let given = |name| lookup(name).filter(|value| !value.is_empty());
        let text = |name| {
            let text = given(name).map(OsString::into_string).transpose();
            text.map_err(|_| Error::NotText(name))
        };
        Ok(Self {
            impersonate: text("BRIGADE_IMPERSONATE")?,
            iam_credentials: text("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS")?,
            google_application_credentials: given("GOOGLE_APPLICATION_CREDENTIALS")
                .map(PathBuf::from),
            gce_metadata_host: text("GCE_METADATA_HOST")?,
        })
    }
}

/// The source that this environment configures, with a cache.
///
/// 1. The account that `BRIGADE_IMPERSONATE` names, by the user's own credentials: the key file or the user's login that
///    `GOOGLE_APPLICATION_CREDENTIALS` names, or those of this machine.
/// 2. The key file that `GOOGLE_APPLICATION_CREDENTIALS` names. An invalid one is an error, without a fallback.
/// 3. The metadata server. The first fetch shows whether there is one.
pub fn source(environment: &Environment) -> Result<Arc<dyn TokenSource>, Error> {
    let file = environment.google_application_credentials.as_deref();
    if let Some(account) = &environment.impersonate {
        let endpoint = environment.iam_credentials.as_deref();
        let read = |path| match UserFile::read(path) {
            Some(login) => login.map(Given::Login),
            None => ServiceAccountFile::read(path).map(Given::Key),
        };
        let impersonated = Impersonated::by(account, endpoint, file.map(read).transpose()?)?;
        return Ok(Arc::new(Cached::new(impersonated)));
    }
    let host = environment.gce_metadata_host.as_deref();
    if let Some(host) = host.filter(|host| !metadata::is_host(host)) {
        return Err(Error::NotAHost(host.to_owned()));
    }
    let key_file = file.map(ServiceAccountFile::read).transpose()?;
    Ok(match key_file {
        Some(file) => Arc::new(Cached::new(file)),
        None => Arc::new(Cached::new(MetadataServer::new(host))),
    })
}
