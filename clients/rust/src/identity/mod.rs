//! Google-signed ID tokens: where they come from, how they are kept, and how they are attached to calls.

pub mod attach;
mod audience;
mod cache;
mod environment;
mod error;
mod metadata;
mod service_account;
mod token;

use std::{fmt, sync::Arc};

use async_trait::async_trait;

pub use audience::{is_confidential, origin};
pub use cache::Cached;
pub use environment::{Environment, source};
pub use error::Error;
pub use metadata::MetadataServer;
pub use service_account::ServiceAccountFile;
pub use token::IdToken;

/// Where ID tokens come from.
#[async_trait]
pub trait TokenSource: fmt::Debug + Send + Sync + 'static {
    /// A token for this audience, valid now.
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error>;

    /// What it is, for people: "the metadata server at …".
    fn describe(&self) -> String;

    /// Forgets a token that its callee refused, so that the next fetch gets another one.
    fn forget(&self, _audience: &str, _token: &IdToken) {}
}

#[async_trait]
impl TokenSource for Arc<dyn TokenSource> {
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error> {
        (**self).fetch(audience).await
    }

    fn describe(&self) -> String {
        (**self).describe()
    }

    fn forget(&self, audience: &str, token: &IdToken) {
        (**self).forget(audience, token);
    }
}

#[cfg(test)]
mod tests;
