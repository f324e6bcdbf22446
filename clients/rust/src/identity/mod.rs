//! Google-signed ID tokens: their sources, their cache, and the layer that attaches them to calls.

pub mod attach;
mod audience;
mod cache;
mod environment;
mod error;
mod http;
mod impersonate;
mod metadata;
mod service_account;
mod token;
mod user;
mod user_file;

use std::{fmt, sync::Arc};

use async_trait::async_trait;

pub(crate) use audience::is_direct;
pub use audience::{is_confidential, origin};
pub use cache::Cached;
pub use environment::{Environment, source};
pub use error::Error;
pub(crate) use http::{explained, without_tls};
pub use impersonate::Impersonated;
pub use metadata::MetadataServer;
pub use service_account::ServiceAccountFile;
pub use token::{Claims, IdToken};

/// Where ID tokens come from.
#[async_trait]
pub trait TokenSource: fmt::Debug + Send + Sync + 'static {
    /// A token for this audience, valid now.
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error>;

    /// Names the source in messages: "the metadata server at …".
    fn describe(&self) -> String;

    /// What kind of source it is, for metrics.
    fn kind(&self) -> &'static str {
        "other"
    }

    /// A cached token, without waiting. A source without a cache has none.
    fn ready(&self, _audience: &str) -> Option<IdToken> {
        None
    }

    /// Invalidates a token that its callee refused, so that the next fetch asks for another one. Returns `false` when the
    /// next fetch may return the same token: then a retry is useless.
    fn invalidate(&self, _audience: &str, _token: &IdToken) -> bool {
        false
    }
}

#[async_trait]
impl TokenSource for Arc<dyn TokenSource> {
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error> {
        (**self).fetch(audience).await
    }

    fn describe(&self) -> String {
        (**self).describe()
    }

    fn kind(&self) -> &'static str {
        (**self).kind()
    }

    fn ready(&self, audience: &str) -> Option<IdToken> {
        (**self).ready(audience)
    }

    fn invalidate(&self, audience: &str, token: &IdToken) -> bool {
        (**self).invalidate(audience, token)
    }
}

#[cfg(test)]
mod tests;
