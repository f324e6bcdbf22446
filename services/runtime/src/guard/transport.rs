//! What the guard's HTTP clients share.

use reqwest::{Client, ClientBuilder, redirect::Policy};
use url::Url;

use crate::{exit::CA_CERTIFICATES, settings::is_loopback};

/// A client for one URL. It follows no redirects: another address is not the one that was configured.
pub(super) fn client(url: &Url) -> ClientBuilder {
    let mut client = Client::builder().redirect(Policy::none());
    if is_loopback(url) {
        client = client.no_proxy();
    }
    if url.scheme() == "http" {
        // Without TLS the system's certificates are not needed.
        client = client.tls_certs_only([]);
    }
    client
}

/// The fix of an error of which the system's lack of certificates is the cause; empty for another one.
pub(super) fn certificates_hint(error: &reqwest::Error) -> &'static str {
    if chain(error).contains("No CA certificates") { CA_CERTIFICATES } else { "" }
}

/// An HTTP client's error with its causes: the outermost error names no cause.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
