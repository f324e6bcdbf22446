//! Attaching as a tower layer.

use std::sync::Arc;

use tower::Layer;
use url::Url;

use super::service::Attach;
use crate::identity::{Error, TokenSource, is_confidential, origin};

/// Attaches a token of one audience to every call of a client.
#[derive(Clone, Debug)]
pub struct AttachLayer {
    source: Arc<dyn TokenSource>,
    audience: Arc<str>,
}

impl AttachLayer {
    /// Tokens of `source` for calls to `url`, whose origin is the audience unless another is given. An error when a
    /// token could be read on its way there.
    pub fn new(
        source: Arc<dyn TokenSource>,
        url: &Url,
        audience: Option<&str>,
    ) -> Result<Self, Error> {
        if !is_confidential(url) {
            return Err(Error::NotConfidential(origin(url)));
        }
        let audience = audience.map_or_else(|| origin(url), str::to_owned).into();
        Ok(Self { source, audience })
    }
}

impl<S> Layer<S> for AttachLayer {
    type Service = Attach<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Attach::new(inner, self.source.clone(), self.audience.clone())
    }
}
