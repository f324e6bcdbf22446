//! A forged token, sent to see whether a front end refuses it.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, StatusCode};
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
/// Counted and not timed: Cloud Run throttles the processor between calls, and no time passes for the process then. The pauses last
/// two minutes in all, because Direct VPC egress may need more than one after a start until a connection works.
const ATTEMPTS: u32 = 22;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The subject of one process's forged tokens.
pub(super) struct Probe {
    subject: String,
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
        let client = client.map_err(|error| unreachable(url, &error))?;
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.send_once(&client, url, settings).await {
                Err(error) if is_transient(&error) => sleep(pause).await,
                ended => return ended,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.send_once(&client, url, settings).await
    }

    async fn send_once(
        &self,
        client: &Client,
        url: &Url,
        settings: &GuardSettings,
    ) -> Result<(), NotProtected> {
        let token = self.token(settings, claims::now());
        let request = client.get(probe_url(url)).bearer_auth(token);
        let response = request.send().await;
        let response = response.map_err(|error| unreachable(url, &error))?;
        if response.headers().contains_key(MARK) {
            return Err(NotProtected::Public(url.clone()));
        }
        match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(()),
            status => Err(NotProtected::Unclear { url: url.clone(), status }),
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

/// A status may also be the front end's, while a new service's first revision is not ready.
fn is_transient(error: &NotProtected) -> bool {
    match error {
        NotProtected::Unreachable { .. } => true,
        NotProtected::Unclear { status, .. } => {
            status.is_server_error() || matches!(status.as_u16(), 404 | 408 | 429)
        }
        NotProtected::Public(_) | NotProtected::Plain(_) => false,
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

fn unreachable(url: &Url, error: &reqwest::Error) -> NotProtected {
    NotProtected::Unreachable { url: url.clone(), why: chain(error) }
}
