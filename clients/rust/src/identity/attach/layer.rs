//! Attaching as a tower layer.

use std::sync::Arc;

use tower::Layer;
use url::Url;

use super::{attached::Identity, service::Attach};
use crate::identity::{Error, TokenSource, is_confidential, origin};

/// Attaches a token of one audience to every call of a client, in `authorization` and `x-serverless-authorization`.
///
/// It wraps any `tower::Service` of `http::Request`s: a tonic `Channel`, with unary and streaming calls, or an HTTP client.
/// With a cached token it adds no allocation and no task. When the callee refuses the token (HTTP 401, or `grpc-status` 16
/// in the response's headers), the token is invalidated, so that the caller's next call carries another one; the call
/// itself is not repeated, because a body can be sent only once.
#[derive(Clone, Debug)]
pub struct AttachLayer(Identity);

impl AttachLayer {
    /// Tokens of `source` for calls to `url`, whose origin is the audience unless another is given. Fails when a token could
    /// be read on its way there.
    pub fn new(
        source: Arc<dyn TokenSource>,
        url: &Url,
        audience: Option<&str>,
    ) -> Result<Self, Error> {
        if !is_confidential(url) {
            return Err(Error::NotConfidential(origin(url)));
        }
        let audience = audience.map_or_else(|| origin(url), str::to_owned).into();
        Ok(Self(Identity { source, audience }))
    }
}

impl<S> Layer<S> for AttachLayer {
    type Service = Attach<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Attach::new(inner, self.0.clone())
    }
}
