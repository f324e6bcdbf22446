//! Google-signed ID tokens: where they come from, how they are kept, and how they are attached to calls.

mod ask;
pub mod attach;
mod audience;
mod cache;
mod environment;
mod error;

mod impersonate;
mod metadata;
mod service_account;
mod token;
mod user;

use std::{fmt, sync::Arc};

use async_trait::async_trait;

pub use audience::{is_confidential, origin};
pub use cache::Cached;
pub use environment::{Environment, source};
pub use error::Error;
pub use impersonate::Impersonated;
pub use metadata::MetadataServer;
pub use service_account::ServiceAccountFile;
pub use token::{Claims, IdToken};

/// Where ID tokens come from.
#[async_trait]
pub trait TokenSource: fmt::Debug + Send + Sync + 'static {
    /// A token for this audience, valid now.
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error>;

    /// What it is, for people: "the metadata server at …".
    fn describe(&self) -> String;

    /// A token at hand, for which nobody has to wait. A source that keeps none has none at hand.
    fn ready(&self, _audience: &str) -> Option<IdToken> {
        None
    }

    /// Notes that its callee refused a token, so that the next fetch tries for another one. `false` when the next fetch
    /// may well bring the same: then there is no use in another try.
    fn forget(&self, _audience: &str, _token: &IdToken) -> bool {
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

    fn ready(&self, audience: &str) -> Option<IdToken> {
        (**self).ready(audience)
    }

    fn forget(&self, audience: &str, token: &IdToken) -> bool {
        (**self).forget(audience, token)
    }
}

#[cfg(test)]
mod tests;
