//! Every attack on a token that is known to us, a named test each.

#![allow(
    clippy::needless_pass_by_value,
    reason = "`json!` at every call reads better than `&json!`"
)]

mod answers;
mod bearer;
mod claims;
mod encoding;
mod figures;
mod front_end;
mod header;
mod issuer;
mod jwks;
mod keys;
mod keyserver;
mod layer;
mod logs;
mod messages;
mod platform;
mod properties;
mod remembered;
mod rights;
mod served;
mod signature;
mod wycheproof;

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use tracing::subscriber::DefaultGuard;

use self::{
    issuer::{AUDIENCE, CALLER},
    keyserver::KeyServer,
};
use super::{Caller, GOOGLE_ISSUERS, Guard, GuardSettings, Mode, Refusal};
use crate::telemetry::{Buffer, Format, subscriber};

/// A guard in front of one service, and the issuer's key server that it asks.
struct Guarded {
    guard: Arc<Guard>,
    keys: KeyServer,
}

impl Guarded {
    /// A guard whose issuer publishes its two keys.
    async fn start() -> Self {
        Self::with(KeyServer::start().await)
    }

    fn with(keys: KeyServer) -> Self {
        let guard = Arc::new(Guard::new(settings(&keys)).unwrap());
        Self { guard, keys }
    }

    /// A guard in `platform` mode, of which nothing is proven yet.
    async fn on_platform() -> Self {
        let keys = KeyServer::start().await;
        let guard = Arc::new(Guard::new(platform(&keys)).unwrap());
        Self { guard, keys }
    }

    async fn check(&self, token: &str) -> Result<Caller, Refusal> {
        self.check_header(&format!("Bearer {token}")).await
    }

    async fn check_header(&self, authorization: &str) -> Result<Caller, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(authorization).unwrap());
        self.check_headers(&headers).await
    }

    async fn check_headers(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let caller = self.guard.check(headers).await?;
        Ok(caller.expect("the guard is on"))
    }
}

fn settings(keys: &KeyServer) -> GuardSettings {
    GuardSettings {
        mode: Mode::Verify,
        audiences: vec![AUDIENCE.to_owned()],
        allowed_callers: vec![CALLER.to_owned()],
        rights: Vec::new(),
        issuers: GOOGLE_ISSUERS.map(str::to_owned).to_vec(),
        jwks_url: keys.url(),
    }
}

fn platform(keys: &KeyServer) -> GuardSettings {
    GuardSettings { mode: Mode::Platform, ..settings(keys) }
}

/// A token as Cloud Run's front end leaves it.
fn stripped(token: &str) -> String {
    let (signed, _) = token.rsplit_once('.').expect("a token has parts");
    format!("{signed}.SIGNATURE_REMOVED_BY_GOOGLE")
}

/// What is logged from now on, until the second is dropped.
fn logged(format: Format, filter: &str) -> (Buffer, DefaultGuard) {
    let buffer = Buffer::default();
    let logging = subscriber(format, filter, buffer.clone());
    (buffer, tracing::subscriber::set_default(logging))
}

/// Each row is a test: its name, what refuses it, and the token.
macro_rules! refused {
    ($($name:ident: $refusal:ident, $token:expr;)+) => { $(
        #[tokio::test]
        async fn $name() {
            let guarded = super::Guarded::start().await;
            let token: String = $token;
            assert_eq!(guarded.check(&token).await, Err(super::Refusal::$refusal), "{token}");
        }
    )+ };
}

/// Each row is a test: its name, and a token that is let in.
macro_rules! accepted {
    ($($name:ident: $token:expr;)+) => { $(
        #[tokio::test]
        async fn $name() {
            let guarded = super::Guarded::start().await;
            let token: String = $token;
            assert!(guarded.check(&token).await.is_ok(), "{token}");
        }
    )+ };
}

use {accepted, refused};
