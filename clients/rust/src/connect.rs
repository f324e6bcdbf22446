//! A channel to a service, lazily connected.

use std::{sync::Arc, time::Duration};

use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tower::{Layer as _, util::{Either, MapErr}};
use url::Url;

use crate::{
    answer::{RecordLayer, Recorder},
    identity::{self, TokenSource, attach::{Attach, AttachLayer}, origin},
};

/// A client that cannot be made. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is not one of a service.
    #[error("{0} is not the URL of a service; give https://HOST, or http://127.0.0.1:PORT on this machine")]
    Url(String),
    /// A token cannot be sent there.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The transport cannot be set up.
    #[error("cannot set up the connection to {url}: {error}")]
    Transport {
        /// The service's origin.
        url: String,
        /// What the transport said.
        error: tonic::transport::Error,
    },
}

/// A channel without tokens, with the same error as one that attaches them.
type Plain = MapErr<Channel, fn(tonic::transport::Error) -> BoxError>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A channel that attaches tokens when it has an identity, and records what arrives.
pub(crate) type Stack = Recorder<Either<Attach<Channel>, Plain>>;

const CONNECT: Duration = Duration::from_secs(10);
const KEEPALIVE: Duration = Duration::from_secs(30);

/// The stack to the service at `url`. Without an identity no token is sent.
pub(crate) fn stack(
    url: &Url,
    identity: Option<Arc<dyn TokenSource>>,
    audience: Option<&str>,
) -> Result<Stack, ConnectError> {
    let attach = identity.map(|source| AttachLayer::new(source, url, audience)).transpose()?;
    let channel = endpoint(url)?.connect_lazy();
    let attached = match attach {
        Some(attach) => Either::Left(attach.layer(channel)),
        None => Either::Right(MapErr::new(channel, BoxError::from as fn(_) -> _)),
    };
    Ok(RecordLayer.layer(attached))
}

fn endpoint(url: &Url) -> Result<Endpoint, ConnectError> {
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(ConnectError::Url(url.to_string()));
    }
    let transport = |error| ConnectError::Transport { url: origin(url), error };
    let mut endpoint = Endpoint::from_shared(origin(url))
        .map_err(transport)?
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_while_idle(true);
    if url.scheme() == "https" {
        endpoint = endpoint
            .tls_config(ClientTlsConfig::new().with_native_roots())
            .map_err(transport)?;
    }
    Ok(endpoint)
}
