//! Connections to a service, made lazily, with layers around them.

use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use tonic::body::Body;
use tonic::transport::{ClientTlsConfig, Endpoint};
use tower::{Layer as _, util::BoxCloneSyncService};
use url::Url;

use crate::{
    answer::{CallError, RecordedBody, Recorder},
    identity::{self, Environment, TokenSource, attach::AttachLayer, origin},
    pool::{Pool, TrackedBody},
    renewal::Tokens,
};

/// A client that cannot be made. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is not one of a service.
    #[error(
        "{0} is not the URL of a service; give https://HOST, or http://127.0.0.1:PORT on this machine"
    )]
    Url(String),
    /// A token cannot be sent there.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The HTTP client cannot be set up.
    #[error("cannot set up the connection to {url}: {error}")]
    Client {
        /// The service's origin.
        url: String,
        /// The client's error.
        error: reqwest::Error,
    },
    /// The transport cannot be set up.
    #[error("cannot set up the connection to {url}: {error}")]
    Transport {
        /// The service's origin.
        url: String,
        /// The transport's error.
        error: tonic::transport::Error,
    },
}

/// Connections that attach tokens, if there is an identity, and record what arrives. Boxed, because the type differs with
/// and without an identity.
pub(crate) type Stack =
    BoxCloneSyncService<Request<Body>, Response<RecordedBody<TrackedBody<Body>>>, CallError>;

pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// The stack to the service at `url`.
pub(crate) fn stack(url: &Url, tokens: &Tokens) -> Result<Stack, ConnectError> {
    let attach = attach_layer(url, tokens)?;
    let endpoint = endpoint(url)?;
    let pool = Pool::new(move || endpoint.connect_lazy());
    Ok(match attach {
        Some(attach) => Stack::new(Recorder::new(attach.layer(pool))),
        None => Stack::new(Recorder::new(pool)),
    })
}

pub(crate) fn attach_layer(
    url: &Url,
    tokens: &Tokens,
) -> Result<Option<AttachLayer>, identity::Error> {
    let source = tokens.source.clone();
    source.map(|source| AttachLayer::new(source, url, Some(&tokens.audience))).transpose()
}

/// Refuses a URL that is not that of a service.
pub(crate) fn check(url: &Url) -> Result<(), ConnectError> {
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(())
    } else {
        Err(ConnectError::Url(url.to_string()))
    }
}

/// A service's URL, and the identity of this environment.
pub(crate) fn from_environment(url: &str) -> Result<(Url, Arc<dyn TokenSource>), ConnectError> {
    let url = Url::parse(url).map_err(|_| ConnectError::Url(url.to_owned()))?;
    Ok((url, identity::source(&Environment::from_env()?)?))
}

fn endpoint(url: &Url) -> Result<Endpoint, ConnectError> {
    check(url)?;
    let transport = |error| ConnectError::Transport { url: origin(url), error };
    let mut endpoint = Endpoint::from_shared(origin(url))
        .map_err(transport)?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_while_idle(true);
    if url.scheme() == "https" {
        endpoint =
            endpoint.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(transport)?;
    }
    Ok(endpoint)
}
