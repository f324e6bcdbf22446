//! Which requests a port without tokens accepts: those to this machine by its own names, from programs of this machine.
//!
//! Any page in a browser can make it call such a port. With a name of the page's own that points here (DNS rebinding) `Host` is
//! foreign; from its own address the browser says so in `Origin` or `Sec-Fetch-Site`.

use std::{net::Ipv4Addr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, StatusCode, Uri,
        header::{HOST, ORIGIN},
    },
    middleware::{self, Next},
    response::Response,
};
use tonic::Status;

use crate::{
    protocol::{error_response, is_grpc},
    settings::without_port,
    telemetry::LineLimit,
};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// How much of a foreign host or origin an answer and a log line show, in characters.
const SHOWN: usize = 100;

/// The hosts by which a port may be called: `localhost`, 127.0.0.0/8 and `[::1]`, with any port, and those that are added.
#[derive(Clone, Debug, Default)]
pub struct LocalSite {
    more: Arc<[String]>,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// It names no host, or another one.
    #[error(
        "the host {0:?} is not this machine's; fix: call it as 127.0.0.1 or localhost; brigade emulator, \
         and a service with --auth off, take another one with --allow-host"
    )]
    Host(String),
    /// A page of another site made a browser send it.
    #[error(
        "the request comes from a page of another site, {0:?}; fix: call this port from a program of this machine, or from a page \
         that this machine serves under the same host"
    )]
    Origin(String),
}

// === impl LocalSite ===

impl LocalSite {
    /// Adds hosts, each as [`host`](crate::settings::host) reads it.
    pub fn new(more: impl IntoIterator<Item = String>) -> Self {
        Self { more: more.into_iter().map(|host| host.to_ascii_lowercase()).collect() }
    }

    /// Puts the check before all that these routes answer.
    pub fn protect(self, routes: Router) -> Router {
        let refusals = LineLimit::new("more calls were refused");
        routes.layer(middleware::from_fn_with_state((self, refusals), protect))
    }

    /// Refuses a foreign host, or a foreign page's request.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Foreign> {
        let hosts = hosts(uri, headers);
        let foreign = hosts.iter().find(|host| !is_local(self.more.iter(), host));
        if let Some(foreign) = foreign.or(hosts.is_empty().then_some(&String::new())) {
            return Err(Foreign::Host(shown(foreign)));
        }
        self.check_origin(headers)
    }

    /// Refuses a foreign page's request. A page that this machine serves may call any of its ports: the program behind it could do
    /// so without a browser. One under another name of this machine is `cross-site` to a browser, and is refused.
    pub fn check_origin(&self, headers: &HeaderMap) -> Result<(), Foreign> {
        let texts = |name: &HeaderName| {
            headers.get_all(name).iter().map(|given| String::from_utf8_lossy(given.as_bytes()))
        };
        let is_own = |origin: &str| {
            let host = origin.strip_prefix("http://").or(origin.strip_prefix("https://"));
            // Anybody may have a page below a domain.
            let more = self.more.iter().filter(|more| !more.starts_with('*'));
            host.is_some_and(|host| is_local(more, &host.to_ascii_lowercase()))
        };
        let foreign = texts(&ORIGIN)
            .find(|origin| !is_own(origin))
            .or_else(|| texts(&FETCH_SITE).find(|site| site == "cross-site"));
        foreign.map_or(Ok(()), |foreign| Err(Foreign::Origin(shown(&foreign))))
    }
}

/// Whether a host is this machine's or one of these.
fn is_local<'a>(mut more: impl Iterator<Item = &'a String>, given: &str) -> bool {
    let host = without_port(given);
    matches!(host, "localhost" | "[::1]")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || more.any(|more| match more.strip_prefix('*') {
            Some(domain) => host.ends_with(domain),
            None => more == host || more == given,
        })
}

/// Every host that a request names, in small letters. The request line may name one beside the header; HTTP/2 names it there alone.
fn hosts(uri: &Uri, headers: &HeaderMap) -> Vec<String> {
    let headers = headers.get_all(HOST).iter();
    let named = headers.map(|host| String::from_utf8_lossy(host.as_bytes()).to_ascii_lowercase());
    named.chain(uri.authority().map(|host| host.as_str().to_ascii_lowercase())).collect()
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

async fn protect(
    State((site, refusals)): State<(LocalSite, LineLimit)>,
    request: Request,
    next: Next,
) -> Response {
    match site.check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(foreign) => {
            if refusals.allows() {
                let path = shown(request.uri().path());
                tracing::warn!(http.requestUrl = path, http.status = 403, reason = %foreign, "call refused");
            }
            let status = Status::permission_denied(foreign.to_string());
            error_response(is_grpc(request.headers()), status, StatusCode::FORBIDDEN)
        }
    }
}

#[cfg(test)]
mod tests;
