//! A forged token, sent to see whether anything stops it.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, StatusCode, header::AUTHORIZATION};
use serde_json::json;
use tokio::time::sleep;
use url::Url;

use super::{NotFronted, REMOVED};
use crate::{
    guard::{
        claims,
        error::MARK,
        mode::GuardSettings,
        transport::{chain, client},
    },
    settings::is_loopback,
};

/// What the subjects of all forged tokens begin with. Google's are numbers.
const SUBJECT: &str = "brigade-front-end-probe:";
/// No service has this route, so a token that is let in all the same does nothing.
pub const PATH: &str = "/front-end-probe";
/// How long one answer may take: a front end refuses at once.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Counted, and not timed: Cloud Run takes the processor away between calls, and no time passes for us then.
const ATTEMPTS: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What a process's forged tokens are known by.
pub(super) struct Probe {
    subject: String,
}

/// What an answer says.
enum Said {
    /// A front end refused the token.
    Refused,
    /// It came to one of us.
    Arrived,
    /// Something else, for good.
    Unclear(StatusCode),
    /// Something that may change: why to ask again.
    Later(Doubt),
}

enum Doubt {
    /// Also what a front end says while a new service's first revision is not ready.
    Status(StatusCode),
    Silence(String),
}

impl Probe {
    /// A new one, that nobody can guess.
    pub(super) fn new() -> Self {
        let mut nonce = [0; 16];
        aws_lc_rs::rand::fill(&mut nonce).expect("the system has random numbers");
        let subject = format!("{SUBJECT}{}", URL_SAFE_NO_PAD.encode(nonce));
        Self { subject }
    }

    /// Whether a subject is that of a forged token, of this process or another.
    pub(super) fn is_one(subject: &str) -> bool {
        subject.starts_with(SUBJECT)
    }

    pub(super) fn is_ours(&self, subject: &str) -> bool {
        self.subject == subject
    }

    /// Sends the token until something other than a passing failure answers.
    pub(super) async fn send(&self, url: &Url, settings: &GuardSettings) -> Result<(), NotFronted> {
        if url.scheme() != "https" && !is_loopback(url) {
            return Err(NotFronted::Plain(url.clone()));
        }
        // A proxy could answer 403 in the front end's place.
        let client = client(url).no_proxy().timeout(ANSWER_TIME).build();
        let client = client.map_err(|error| unanswered(url, chain(&error)))?;
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let doubt = match self.ask(&client, url, settings).await {
                Said::Refused => return Ok(()),
                Said::Arrived => return Err(NotFronted::Public(url.clone())),
                Said::Unclear(status) => return Err(unclear(url, status)),
                Said::Later(doubt) => doubt,
            };
            if attempt == ATTEMPTS {
                return Err(match doubt {
                    Doubt::Status(status) => unclear(url, status),
                    Doubt::Silence(why) => unanswered(url, why),
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            attempt += 1;
        }
    }

    async fn ask(&self, client: &Client, url: &Url, settings: &GuardSettings) -> Said {
        let token = self.token(settings, claims::now());
        let request = client
            .get(below(url))
            .header(AUTHORIZATION, format!("Bearer {token}"));
        match request.send().await {
            Ok(response) if response.headers().contains_key(MARK) => Said::Arrived,
            Ok(response) => said(response.status()),
            Err(error) => Said::Later(Doubt::Silence(chain(&error))),
        }
    }

    /// A token that `settings` would let in if its signature had been checked.
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

fn said(status: StatusCode) -> Said {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Said::Refused,
        StatusCode::NOT_FOUND | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Said::Later(Doubt::Status(status))
        }
        status if status.is_server_error() => Said::Later(Doubt::Status(status)),
        status => Said::Unclear(status),
    }
}

fn below(url: &Url) -> Url {
    let mut below = url.clone();
    below.set_query(None);
    below.set_fragment(None);
    let path = format!("{}{PATH}", url.path().trim_end_matches('/'));
    below.set_path(&path);
    below
}

fn unclear(url: &Url, status: StatusCode) -> NotFronted {
    NotFronted::Unclear {
        url: url.clone(),
        status,
    }
}

fn unanswered(url: &Url, why: String) -> NotFronted {
    NotFronted::Unreachable {
        url: url.clone(),
        why,
    }
}
