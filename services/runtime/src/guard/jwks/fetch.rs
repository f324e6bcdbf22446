//! Fetches a key set, and bounds what its server can do.

use std::time::Duration;

use reqwest::{
    Client, Response, StatusCode,
    header::{AGE, CACHE_CONTROL, HeaderMap},
};
use url::Url;

use super::keys::{Keys, UnusableKeys, usable};
use crate::guard::transport::{chain, client};

/// A key set has about 2 KiB.
const MAX_BODY: usize = 256 * 1024;
/// From the first byte sent to the last byte read, so that a slow response ends too.
const FETCH_TIME: Duration = Duration::from_secs(10);
/// When the response does not say how long it may be cached.
const DEFAULT_AGE: Duration = Duration::from_hours(1);
/// A response that may not be cached is cached for a minute nevertheless: otherwise every call would cause a fetch.
const MIN_AGE: Duration = Duration::from_mins(1);
/// A revoked key is trusted no longer than this, while key sets can be fetched.
const MAX_AGE: Duration = Duration::from_hours(24);

/// The URL of a key set, and the client that fetches it.
#[derive(Debug)]
pub(super) struct Source {
    url: Url,
    client: Client,
}

/// A key set, and how long it is fresh.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) keys: Keys,
    pub(super) age: Duration,
}

/// Why there is no new key set.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{}", chain(.0))]
    Transport(#[from] reqwest::Error),
    #[error("HTTP {0}")]
    Status(StatusCode),
    #[error("the response is longer than 256 KiB")]
    TooLong,
    #[error(transparent)]
    Keys(#[from] UnusableKeys),
}

impl Source {
    pub(super) fn new(url: Url) -> Result<Self, reqwest::Error> {
        let client = client(&url).timeout(FETCH_TIME);
        Ok(Self { client: client.build()?, url })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) async fn fetch(&self) -> Result<Fetched, FetchError> {
        let response = self.client.get(self.url.clone()).send().await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let age = freshness(response.headers());
        let keys = usable(&body(response).await?)?;
        Ok(Fetched { keys, age })
    }
}

async fn body(mut response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(FetchError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// `max-age` less the time that the response spent in other caches (RFC 9111, section 4.2).
fn freshness(headers: &HeaderMap) -> Duration {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let age = text(AGE)
        .and_then(|age| age.trim().parse().ok())
        .map_or(Duration::ZERO, Duration::from_secs);
    let Some(control) = text(CACHE_CONTROL) else {
        return DEFAULT_AGE;
    };
    max_age(control)
        .map_or(DEFAULT_AGE, |max_age| max_age.saturating_sub(age))
        .clamp(MIN_AGE, MAX_AGE)
}

/// How long a `Cache-Control` header lets a response be cached (RFC 9111, section 5.2.2).
fn max_age(control: &str) -> Option<Duration> {
    let control = control.to_ascii_lowercase();
    let mut directives = control.split(',').map(str::trim);
    if directives.clone().any(|directive| matches!(directive, "no-store" | "no-cache")) {
        return Some(Duration::ZERO);
    }
    directives.find_map(|directive| {
        let seconds = directive.strip_prefix("max-age=")?;
        Some(Duration::from_secs(seconds.trim_matches('"').parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(control: Option<&str>, age: Option<&str>) -> u64 {
        let mut headers = HeaderMap::new();
        if let Some(control) = control {
            headers.insert(CACHE_CONTROL, control.parse().unwrap());
        }
        if let Some(age) = age {
            headers.insert(AGE, age.parse().unwrap());
        }
        freshness(&headers).as_secs()
    }

    #[test]
    fn an_answer_is_kept_as_long_as_it_says() {
        let google = "public, max-age=19872, must-revalidate, no-transform";
        assert_eq!(fresh(Some(google), None), 19_872);
        assert_eq!(fresh(Some("Public, Max-Age=\"600\""), None), 600);
        assert_eq!(fresh(Some(google), Some("872")), 19_000);
    }

    #[test]
    fn an_answer_that_does_not_say_is_kept_for_an_hour() {
        assert_eq!(fresh(None, None), 3600);
        assert_eq!(fresh(Some("public"), None), 3600);
        assert_eq!(fresh(Some("max-age=soon"), None), 3600);
        assert_eq!(fresh(Some("max-age=-1"), None), 3600);
    }

    #[test]
    fn an_answer_is_kept_for_a_minute_at_least_and_a_day_at_most() {
        assert_eq!(fresh(Some("no-store"), None), 60);
        assert_eq!(fresh(Some("max-age=0"), None), 60);
        assert_eq!(fresh(Some("max-age=100"), Some("100000")), 60);
        assert_eq!(fresh(Some("max-age=18446744073709551615"), None), 86_400);
    }
}
