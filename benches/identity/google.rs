//! The issuer, its keys, and guards that believe it.

use std::sync::Arc;

use brigade_client::identity::MetadataServer;
use brigade_emulator::{
    Emulator,
    identity::{ISSUER, Issuer},
};
use brigade_runtime::guard::{Guard, GuardSettings, Mode};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use tokio::net::TcpListener;

pub(crate) const AUDIENCE: &str = "https://worker-abc.a.run.app";
pub(crate) const CALLER: &str = "poller@brigade-dev.iam.gserviceaccount.com";

/// The emulator of Google.
pub(crate) struct Google(Emulator);

impl Google {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let emulator = Emulator::builder()
            .bucket("some-bucket")
            .service_account(CALLER)
            .start(listener)
            .await
            .unwrap();
        Self(emulator)
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        self.0.identity()
    }

    pub(crate) fn metadata(&self) -> MetadataServer {
        MetadataServer::new(Some(self.0.url().authority()))
    }

    /// A guard that has its keys already.
    pub(crate) async fn guard(&self) -> Arc<Guard> {
        let guard = Guard::new(self.guard_settings()).unwrap();
        let token = self.issuer().mint(CALLER, AUDIENCE);
        guard.check(&bearer(&token)).await.unwrap();
        Arc::new(guard)
    }

    pub(crate) fn guard_settings(&self) -> GuardSettings {
        let jwks_url = self.0.url().join("oauth2/v3/certs").unwrap();
        GuardSettings {
            mode: Mode::Verify,
            audiences: vec![AUDIENCE.to_owned()],
            allowed_callers: vec![CALLER.to_owned()],
            rights: Vec::new(),
            issuers: vec![ISSUER.to_owned()],
            jwks_url,
        }
    }
}

pub(crate) fn bearer(token: &str) -> HeaderMap {
    let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    HeaderMap::from_iter([(AUTHORIZATION, value)])
}
