//! OTLP over HTTP, by the HTTP client that this crate has anyway.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use opentelemetry_http::{HttpClient, HttpError};
use reqwest::redirect::Policy;
use tokio::runtime::Handle;
use url::{Host, Url};

use super::{body::read, metadata};

/// The answer of a collector says what it refused; more than this is none.
const MAX_ANSWER: usize = 1024 * 1024;

/// The exporter's threads wait for tasks of the service's own runtime.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    runtime: Handle,
    is_google: bool,
}

/// Whether it is Google's API, which asks for the service's access token.
pub(super) fn is_google(endpoint: &Url) -> bool {
    let host = endpoint.host();
    endpoint.scheme() == "https"
        && matches!(host, Some(Host::Domain(host)) if host.ends_with(".googleapis.com"))
}

impl Client {
    pub(super) fn new(is_google: bool, timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(timeout).redirect(Policy::none()).build()?;
        Ok(Self { http, runtime: Handle::current(), is_google })
    }

    async fn send(
        self,
        mut request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
        if self.is_google {
            let token = metadata::access_token().await?;
            let mut bearer = HeaderValue::try_from(format!("Bearer {token}"))?;
            bearer.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        // An endpoint may hold a key, and an error has the URL.
        let response = self.http.execute(request.try_into()?).await;
        let response = response.map_err(reqwest::Error::without_url)?;
        let status = response.status();
        let body = read(response, MAX_ANSWER).await;
        let mut answer = Response::new(body.ok_or("the answer has not ended, or is too long")?);
        *answer.status_mut() = status;
        Ok(answer)
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.runtime.spawn(self.clone().send(request)).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_access_token_goes_to_googles_own_hosts_over_tls_alone() {
        let own = [
            "https://telemetry.googleapis.com",
            "https://telemetry.europe-west6.rep.googleapis.com/v1",
        ];
        let others = [
            "http://telemetry.googleapis.com",
            "https://telemetry.googleapis.com.evil.example",
            "https://telemetry.googleapis.com@evil.example",
            "https://evil.example/telemetry.googleapis.com",
            "https://evil.example?.googleapis.com",
            "https://evil.example#.googleapis.com",
            "https://telemetrygoogleapis.com",
            "https://googleapis.com.",
        ];
        let google = |url: &&str| is_google(&Url::parse(url).unwrap());
        assert_eq!(own.iter().find(|url| !google(url)), None);
        assert_eq!(others.iter().find(|url| google(url)), None);
    }
}
