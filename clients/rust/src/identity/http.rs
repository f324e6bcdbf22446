//! What the sources that fetch over HTTP have in common.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, RequestBuilder, Response, StatusCode, redirect::Policy};
use url::Url;

use super::{TokenSource, error::Error, is_direct};

/// A token has about 1 KiB.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// A client for the server at `url`. It follows no redirect, so that a secret goes to this server only; what
/// stays on this machine goes through no proxy.
pub(super) fn client(url: &Url, timeout: Duration) -> Result<Client, reqwest::Error> {
    let mut builder = Client::builder().redirect(Policy::none()).timeout(timeout);
    if is_direct(url) {
        builder = builder.no_proxy();
    }
    if url.scheme() == "http" {
        builder = without_tls(builder);
    }
    builder.build()
}

/// Without TLS the system's certificates are not needed: there may be none.
pub(crate) fn without_tls(builder: ClientBuilder) -> ClientBuilder {
    builder.tls_certs_only([])
}

/// A client's error with its causes, and the fix where the system has no certificates.
pub(crate) fn explained(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    if ["No CA certificates", "no native certs"].iter().any(|none| text.contains(none)) {
        text.push_str(
            "; fix: install the package ca-certificates (Debian: apt-get install ca-certificates; in a Dockerfile: RUN \
             apt-get update && apt-get install -y ca-certificates), or name a file of certificates in SSL_CERT_FILE",
        );
    }
    text
}

/// The error of a call without a response.
pub(super) fn unavailable(source_name: String, error: &reqwest::Error) -> Error {
    let why = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "it cannot be reached"
    } else {
        "the connection broke"
    };
    Error::away(source_name, why)
}

/// The error of a call with another status than 200. `why` is the likely reason and the fix; empty, or begins with a space.
pub(super) fn refused(source: &dyn TokenSource, status: StatusCode, why: &str) -> Error {
    Error::Refused { source_name: source.describe(), status: status.as_u16(), why: why.into() }
}

/// Sends a source's request, and returns the body of the response. `reason` explains another status than 200.
pub(super) async fn exchange(
    source: &dyn TokenSource,
    request: RequestBuilder,
    reason: fn(StatusCode) -> &'static str,
) -> Result<Vec<u8>, Error> {
    let unavailable = |error: reqwest::Error| unavailable(source.describe(), &error);
    let response = request.send().await.map_err(unavailable)?;
    match response.status() {
        StatusCode::OK => body(response).await.map_err(unavailable),
        status => Err(refused(source, status, reason(status))),
    }
}

/// The response's body, cut where it is longer than any token.
pub(super) async fn body(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        body.extend_from_slice(&piece);
        if body.len() > MAX_BODY_BYTES {
            body.truncate(MAX_BODY_BYTES);
            break;
        }
    }
    Ok(body)
}
