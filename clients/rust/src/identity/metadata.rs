//! ID tokens from the metadata server of Cloud Run and Compute Engine.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Response, StatusCode, redirect::Policy};

use super::{TokenSource, ask, error::Error, token::IdToken};

/// Resolves only on Google's machines.
const DEFAULT_HOST: &str = "metadata.google.internal";
/// How long to wait for a server that may not exist: a machine outside Google must not wait long to learn it.
const PROBE: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    answer: Duration::from_secs(3),
};
/// How long to wait for a server that `GCE_METADATA_HOST` names. It exists, so a late answer means a busy machine; a
/// server that is down refuses the connection at once.
const NAMED: Timeouts = Timeouts {
    connect: Duration::from_secs(30),
    answer: Duration::from_secs(30),
};
/// The server's mark, in requests and answers: something else that answers there is not it.
const FLAVOR: &str = "Metadata-Flavor";

struct Timeouts {
    connect: Duration,
    answer: Duration,
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

    /// The server there; `explicit` when somebody said that there is one.
    pub(super) fn at(host: &str, explicit: bool) -> Self {
        let timeouts = if explicit { NAMED } else { PROBE };
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.answer)
            .build()
            .expect("a client with timeouts alone can be made");
        let host = host
            .strip_prefix("http://")
            .unwrap_or(host)
            .trim_end_matches('/')
            .to_owned();
        Self {
            host,
            account: "default".into(),
            explicit,
            client,
        }
    }

    /// Tokens of another account than the machine's own, which its instance must have.
    #[must_use]
    pub fn for_account(mut self, email: &str) -> Self {
        email.clone_into(&mut self.account);
        self
    }

    async fn ask(&self, audience: &str) -> Result<Response, Error> {
        let url = format!(
            "http://{}/computeMetadata/v1/instance/service-accounts/{}/identity",
            self.host, self.account
        );
        self.client
            .get(url)
            // Without the full format the token has no email, which every callee asks for.
            .query(&[("audience", audience), ("format", "full")])
            .header(FLAVOR, "Google")
            .send()
            .await
            .map_err(|error| self.missed(&error))
    }

    /// Nobody there: the last source there is, unless somebody said that there is one.
    fn missed(&self, error: &reqwest::Error) -> Error {
        if error.is_connect() && !self.explicit {
            return Error::NoSource {
                tried: format!("{} cannot be reached", self.describe()),
            };
        }
        ask::away(self.describe(), error)
    }

    fn refused(&self, status: StatusCode) -> Error {
        let why = match status {
            StatusCode::NOT_FOUND => " (this instance has no service account)",
            StatusCode::BAD_REQUEST => " (the audience is not one)",
            _ => "",
        };
        Error::Refused {
            source_name: self.describe(),
            status: status.as_u16(),
            why: why.into(),
        }
    }
}

#[async_trait]
impl TokenSource for MetadataServer {
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error> {
        let response = self.ask(audience).await?;
        if response
            .headers()
            .get(FLAVOR)
            .is_none_or(|flavor| flavor != "Google")
        {
            return Err(Error::BadToken {
                source_name: self.describe(),
                why: "the answer has no Metadata-Flavor: Google, so something else answered".into(),
            });
        }
        if response.status() != StatusCode::OK {
            return Err(self.refused(response.status()));
        }
        let body = ask::body(response)
            .await
            .map_err(|error| self.missed(&error))?;
        IdToken::parse(&String::from_utf8_lossy(&body), audience, &self.describe())
    }

    fn describe(&self) -> String {
        format!("the metadata server at {}", self.host)
    }
}
