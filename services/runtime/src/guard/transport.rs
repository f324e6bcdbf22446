//! What the guard's own HTTP clients have in common.

use reqwest::{Client, ClientBuilder, redirect::Policy};
use url::Url;

use crate::settings::is_loopback;

/// A client for one URL, which follows no redirects: what another address says is another's word.
pub(super) fn client(url: &Url) -> ClientBuilder {
    let mut client = Client::builder().redirect(Policy::none());
    if is_loopback(url) {
        client = client.no_proxy();
    }
    if url.scheme() == "http" {
        // Nothing to trust: the system's certificates are not worth reading.
        client = client.tls_certs_only([]);
    }
    client
}

/// An HTTP client's error with its causes: the outermost one says only that the request failed.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
