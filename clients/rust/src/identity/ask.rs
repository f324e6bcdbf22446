//! What the sources that ask a server over HTTP have in common.

use std::time::Duration;

use reqwest::{Client, Response, redirect::Policy};
use url::Url;

use super::error::Error;

/// A token has about 1 KiB.
const MAX_BODY: usize = 16 * 1024;

/// A client for the server at `url` that follows no redirect: a token goes nowhere but where it was asked for. What goes to
/// this machine in the clear goes through no proxy.
pub(super) fn client(url: &Url, answer: Duration) -> Result<Client, reqwest::Error> {
    let builder = Client::builder().redirect(Policy::none()).timeout(answer);
    let builder = match url.scheme() {
        "http" => builder.no_proxy(),
        _ => builder,
    };
    builder.build()
}

/// A call that brought no answer.
pub(super) fn away(source_name: String, error: &reqwest::Error) -> Error {
    let why = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "it cannot be reached"
    } else {
        "the connection broke"
    };
    Error::Away {
        source_name,
        why: why.into(),
    }
}

/// The answer's body, cut where no token could be that long.
pub(super) async fn body(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        body.extend_from_slice(&piece);
        if body.len() > MAX_BODY {
            body.truncate(MAX_BODY);
            break;
        }
    }
    Ok(body)
}
