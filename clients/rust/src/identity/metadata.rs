//! ID tokens from the metadata server of Cloud Run and Compute Engine.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Response, StatusCode, redirect::Policy};
use url::Url;

use super::{TokenSource, error::Error, http, token::IdToken};

/// Resolves only on Google's machines.
const DEFAULT_HOST: &str = "metadata.google.internal";
/// How long to wait for a connection and for an answer. A server that may not exist: a machine outside Google must not wait
/// long to learn it.
const PROBE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(3)];
/// The same for a server that `GCE_METADATA_HOST` names. It exists, so a late answer means a busy machine; a server that is
/// down refuses the connection at once.
const NAMED: [Duration; 2] = [Duration::from_secs(30); 2];
/// The header that identifies the server, in requests and responses.
const FLAVOR_HEADER: &str = "Metadata-Flavor";

/// Whether a server can be at this host: with quotes, a path or another scheme there is none.
pub(super) fn is_host(host: &str) -> bool {
    let host = host.strip_prefix("http://").unwrap_or(host).trim_end_matches('/');
    let odd = |c: char| c.is_whitespace() || "\"'`/@?#".contains(c);
    !host.contains(odd) && Url::parse(&format!("http://{host}")).is_ok()
}

/// The metadata server of this machine.
#[derive(Clone, Debug)]
pub struct MetadataServer {
    host: String,
    account: String,
    explicit: bool,
    client: Client,
}

impl MetadataServer {
    /// The server at `host` (`GCE_METADATA_HOST`, with a port or without), or at the usual address.
    ///
    /// # Panics
    ///
    /// Never: a client without TLS settings of its own can always be made.
    pub fn new(host: Option<&str>) -> Self {
        Self::at(host.unwrap_or(DEFAULT_HOST), host.is_some())
    }

    /// The server at this host; `explicit` when the user configured it.
    pub(super) fn at(host: &str, explicit: bool) -> Self {
        let [connect, answer] = if explicit { NAMED } else { PROBE };
        let client = http::without_tls(Client::builder())
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(connect)
            .timeout(answer)
            .build()
            .expect("a client with timeouts alone can be made");
        let host = host.strip_prefix("http://").unwrap_or(host).trim_end_matches('/').to_owned();
        Self { host, account: "default".into(), explicit, client }
    }

    /// Tokens of another account of this instance than its default one.
    #[must_use]
    pub fn for_account(mut self, email: &str) -> Self {
        email.clone_into(&mut self.account);
        self
    }

    async fn request(&self, audience: &str) -> Result<Response, Error> {
        let url = format!(
            "http://{}/computeMetadata/v1/instance/service-accounts/{}/identity",
            self.host, self.account
        );
        self.client
            .get(url)
            // Without the full format the token has no email, which every callee requires.
            .query(&[("audience", audience), ("format", "full")])
            .header(FLAVOR_HEADER, "Google")
            .send()
            .await
            .map_err(|error| self.connection_error(&error))
    }

    /// An unconfigured server that cannot be reached means that there is no source at all.
    fn connection_error(&self, error: &reqwest::Error) -> Error {
        if error.is_connect() && !self.explicit {
            return Error::NoSource { tried: format!("{} cannot be reached", self.describe()) };
        }
        http::unavailable(self.describe(), error)
    }
}

/// The likely reason of a refusal.
fn reason(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => " (this instance has no service account)",
        StatusCode::BAD_REQUEST => " (the audience is invalid)",
        _ => "",
    }
}

#[async_trait]
impl TokenSource for MetadataServer {
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error> {
        let response = self.request(audience).await?;
        let (flavor, status) = (response.headers().get(FLAVOR_HEADER), response.status());
        // Whatever stands before it may lack the header, and passes.
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(http::refused(self, status, ""));
        }
        if flavor.is_none_or(|flavor| flavor != "Google") {
            let why =
                "the response has no header Metadata-Flavor: Google, so another server answered";
            return Err(Error::bad_token(self.describe(), why));
        }
        if status != StatusCode::OK {
            return Err(http::refused(self, status, reason(status)));
        }
        let body = http::body(response).await.map_err(|error| self.connection_error(&error))?;
        IdToken::parse(&String::from_utf8_lossy(&body), audience, &self.describe())
    }

    fn kind(&self) -> &'static str {
        "metadata_server"
    }

    fn describe(&self) -> String {
        format!("the metadata server at {}", self.host)
    }
}
