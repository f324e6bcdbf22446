//! Connections to a service, made lazily, with layers around them.

mod proxy;

use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use hyper_util::client::proxy::matcher::Matcher;
use tonic::body::Body;
use tonic::transport::{ClientTlsConfig, Endpoint};
use tower::{Layer as _, util::BoxCloneSyncService};
use url::Url;

pub use self::proxy::proxy_of;

use crate::{
    answer::{CallError, RecordedBody, Recorder},
    identity::{self, Environment, TokenSource, attach::AttachLayer, explained, origin},
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
    /// The URL has more than gRPC can call.
    #[error(
        "{url} has a path or a query, and gRPC calls an origin; give {origin}, or call a worker that takes a POST there over http"
    )]
    Path {
        /// The URL.
        url: String,
        /// Its origin.
        origin: String,
    },
    /// A token cannot be sent there.
    #[error(transparent)]
    Identity(#[from] identity::Error),
    /// The HTTP client cannot be set up.
    #[error("cannot set up the connection to {url}: {}", explained(error))]
    Client {
        /// The service's origin.
        url: String,
        /// The client's error.
        error: reqwest::Error,
    },
    /// The transport cannot be set up.
    #[error("cannot set up the connection to {url}: {}", explained(error))]
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
/// How often a PING is sent while calls are in flight. A gRPC server allows one in 5 minutes without data, and closes the
/// connection after a few more (gRPC's doc/keepalive.md, `permit_keepalive_time`). An interval equal to its minimum is
/// too short now and then, so 10 % more.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(330);
/// How long a PING may stay unanswered (`keepalive_timeout` there).
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection is silent before TCP probes the other side: that finds one that is gone sooner than a PING does,
/// and no gRPC server counts it.
const TCP_KEEPALIVE: Duration = Duration::from_mins(1);
/// The most bytes of a response's headers or trailers. hyper's own limit is 16 KiB, and a worker may send a traceback as its
/// message, where each byte can take three. grpc-go allows 16 MiB.
const MAX_HEADER_LIST: u32 = 1024 * 1024;

/// The stack to the service at `url`.
pub(crate) fn stack(url: &Url, tokens: &Tokens) -> Result<Stack, ConnectError> {
    let attach = attach_layer(url, tokens)?;
    let endpoint = endpoint(url)?;
    let proxy = proxy::proxy(url, &Matcher::from_env());
    let pool = Pool::new(move || proxy::channel(&endpoint, proxy.as_ref()));
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

/// Whether a URL has more than an origin, which is all that gRPC calls.
pub fn has_path(url: &Url) -> bool {
    url.path() != "/" || url.query().is_some()
}

/// A service's URL, and the identity of this environment.
pub(crate) fn from_environment(url: &str) -> Result<(Url, Arc<dyn TokenSource>), ConnectError> {
    let url = Url::parse(url).map_err(|_| ConnectError::Url(url.to_owned()))?;
    Ok((url, identity::source(&Environment::from_env()?)?))
}

fn endpoint(url: &Url) -> Result<Endpoint, ConnectError> {
    check(url)?;
    if has_path(url) {
        return Err(ConnectError::Path { url: url.to_string(), origin: origin(url) });
    }
    let transport = |error| ConnectError::Transport { url: origin(url), error };
    let mut endpoint = Endpoint::from_shared(origin(url))
        .map_err(transport)?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .tcp_keepalive(Some(TCP_KEEPALIVE))
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(false)
        .http2_max_header_list_size(MAX_HEADER_LIST);
    if url.scheme() == "https" {
        endpoint =
            endpoint.tls_config(ClientTlsConfig::new().with_native_roots()).map_err(transport)?;
    }
    Ok(endpoint)
}

#[cfg(test)]
mod tests;
