//! A forged token, sent to see whether a front end refuses it.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, StatusCode, header::AUTHORIZATION};
use serde_json::json;
use tokio::time::sleep;
use url::Url;

use super::{NotProtected, REMOVED};
use crate::{
    guard::{
        claims,
        error::MARK,
        mode::GuardSettings,
        transport::{chain, client},
    },
    settings::is_loopback,
};

/// The prefix of all forged tokens' subjects. Google's are numbers.
const SUBJECT: &str = "brigade-front-end-probe:";
/// No service has this route, so a token that is admitted after all does nothing.
pub const PATH: &str = "/front-end-probe";
/// How long one response may take: a front end refuses at once.
const RESPONSE_TIME: Duration = Duration::from_secs(10);
/// Counted and not timed: Cloud Run throttles the processor between calls, and no time passes for the process then.
const ATTEMPTS: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The subject of one process's forged tokens.
pub(super) struct Probe {
    subject: String,
}

/// What a response shows.
enum Observed {
    /// A front end refused the token.
    Refused,
    /// The token reached one of our services.
    Arrived,
    /// Something else, which a retry does not change.
    Unclear(StatusCode),
    /// Something that may change.
    Retry(Doubt),
}

enum Doubt {
    /// Also a front end's, while a new service's first revision is not ready.
    Status(StatusCode),
    NoResponse(String),
}

impl Probe {
    /// A new one with an unguessable subject.
    pub(super) fn new() -> Self {
        let mut nonce = [0; 16];
        aws_lc_rs::rand::fill(&mut nonce).expect("the system has random numbers");
        let subject = format!("{SUBJECT}{}", URL_SAFE_NO_PAD.encode(nonce));
        Self { subject }
    }

    /// Whether a subject is that of a forged token, of this process or another.
    pub(super) fn is_probe(subject: &str) -> bool {
        subject.starts_with(SUBJECT)
    }

    pub(super) fn is_ours(&self, subject: &str) -> bool {
        self.subject == subject
    }

    /// Sends the token until the response is not a transient failure.
    pub(super) async fn send(
        &self,
        url: &Url,
        settings: &GuardSettings,
    ) -> Result<(), NotProtected> {
        if url.scheme() != "https" && !is_loopback(url) {
            return Err(NotProtected::Plain(url.clone()));
        }
        // A proxy could answer 403 in the front end's place.
        let client = client(url).no_proxy().timeout(RESPONSE_TIME).build();
        let client = client.map_err(|error| unreachable(url, chain(&error)))?;
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let doubt = match self.send_once(&client, url, settings).await {
                Observed::Refused => return Ok(()),
                Observed::Arrived => return Err(NotProtected::Public(url.clone())),
                Observed::Unclear(status) => return Err(unclear(url, status)),
                Observed::Retry(doubt) => doubt,
            };
            if attempt == ATTEMPTS {
                return Err(match doubt {
                    Doubt::Status(status) => unclear(url, status),
                    Doubt::NoResponse(why) => unreachable(url, why),
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            attempt += 1;
        }
    }

    async fn send_once(&self, client: &Client, url: &Url, settings: &GuardSettings) -> Observed {
        let token = self.token(settings, claims::now());
        let request = client
            .get(probe_url(url))
            .header(AUTHORIZATION, format!("Bearer {token}"));
        match request.send().await {
            Ok(response) if response.headers().contains_key(MARK) => Observed::Arrived,
            Ok(response) => Observed::from_status(response.status()),
            Err(error) => Observed::Retry(Doubt::NoResponse(chain(&error))),
        }
    }

    /// A token that `settings` would admit if its signature had been checked.
    fn token(&self, settings: &GuardSettings, now: i64) -> String {
        let header = json!({ "alg": "RS256", "kid": "forged", "typ": "JWT" });
        let claims = json!({
            "iss": settings.issuers.first(),
            "aud": settings.audiences.first(),
            "sub": self.subject,
            "email": settings.allowed_callers.first(),
            "email_verified": true,
            "iat": now,
            "exp": now.saturating_add(300),
        });
        let encode = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
        format!("{}.{}.{REMOVED}", encode(header), encode(claims))
    }
}

impl Observed {
    fn from_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Observed::Refused,
            StatusCode::NOT_FOUND | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Observed::Retry(Doubt::Status(status))
            }
            status if status.is_server_error() => Observed::Retry(Doubt::Status(status)),
            status => Observed::Unclear(status),
        }
    }
}

/// The probe's path under the service's URL.
fn probe_url(url: &Url) -> Url {
    let mut below = url.clone();
    below.set_query(None);
    below.set_fragment(None);
    let path = format!("{}{PATH}", url.path().trim_end_matches('/'));
    below.set_path(&path);
    below
}

fn unclear(url: &Url, status: StatusCode) -> NotProtected {
    NotProtected::Unclear {
        url: url.clone(),
        status,
    }
}

fn unreachable(url: &Url, why: String) -> NotProtected {
    NotProtected::Unreachable {
        url: url.clone(),
        why,
    }
}
