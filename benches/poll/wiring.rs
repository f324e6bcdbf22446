//! How the parts of a system on this machine are wired: as they are deployed, over real sockets.

use std::sync::Arc;

use brigade_client::identity::{Cached, MetadataServer, TokenSource, origin};
use brigade_emulator::{Emulator, identity::ISSUER};
use brigade_poller::settings::{PollerArgs, PollerSettings};
use brigade_runtime::{
    guard::{GuardSettings, Mode},
    settings::{Problems, from_flags},
};
use brigade_storage::gcs::{GcsSettings, GcsStore};
use tokio::net::TcpListener;
use url::Url;

pub(crate) const BUCKET: &str = "data";
pub(crate) const ACCOUNT: &str = "services@bench.iam.gserviceaccount.com";

/// Storage and identity, which the others are told of by their URL.
pub(crate) async fn emulator() -> Emulator {
    let (listener, _) = bound().await;
    let builder = Emulator::builder().memory().bucket(BUCKET);
    builder.service_account(ACCOUNT).start(listener).await.unwrap()
}

pub(crate) async fn store(emulator: &Url) -> Arc<GcsStore> {
    Arc::new(GcsStore::connect(GcsSettings::emulator(origin(emulator))).await.unwrap())
}

pub(crate) fn identity(emulator: &Url) -> Arc<dyn TokenSource> {
    Arc::new(Cached::new(MetadataServer::new(Some(emulator.authority()))))
}

pub(crate) fn guard(emulator: &Url, service: &Url) -> GuardSettings {
    GuardSettings {
        mode: Mode::Verify,
        audiences: vec![origin(service)],
        allowed_callers: vec![ACCOUNT.to_owned()],
        rights: Vec::new(),
        issuers: vec![ISSUER.to_owned()],
        jwks_url: emulator.join("oauth2/v3/certs").unwrap(),
    }
}

pub(crate) fn poller_settings(worker: &Url, in_flight: usize) -> PollerSettings {
    let flags = [
        format!("--inbox=gs://{BUCKET}/incoming/"),
        format!("--worker-url={worker}"),
        format!("--concurrency={in_flight}"),
    ];
    let args: PollerArgs = from_flags(&flags.each_ref().map(String::as_str)).unwrap();
    let mut problems = Problems::default();
    let settings = args.resolve(&mut problems);
    problems.into_settings(settings).unwrap()
}

/// Lays so many objects into the inbox, and nothing else is there.
pub(crate) fn lay(emulator: &Emulator, objects: usize) {
    let bucket = emulator.storage();
    for object in bucket.list("").unwrap() {
        bucket.remove(&object.name).unwrap();
    }
    for n in 0..objects {
        let name = format!("incoming/2026/11/24/device-{n:08}/night.csv");
        bucket.put(&name, "day,reaction_ms\n").unwrap();
    }
}

/// A free port.
pub(crate) async fn bound() -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url.parse().unwrap())
}
