//! Storage and a poller, wired as they are deployed, over real sockets.

use std::sync::Arc;

use brigade::poller::Dependencies;
use brigade_client::{
    PollerClient,
    identity::{Cached, MetadataServer, TokenSource, origin},
};
use brigade_emulator::{Emulator, identity::ISSUER};
use brigade_poller::{lease::Process, settings::PollerArgs};
use brigade_proto::v1::{EndReason, PollRequest, poll_response::Event};
use brigade_runtime::{
    guard::{GuardSettings, Mode},
    settings::{Problems, from_flags},
};
use brigade_storage::{
    Store,
    gcs::{GcsSettings, GcsStore},
};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use crate::worker::Worker;

const BUCKET: &str = "data";
const IN_FLIGHT: usize = 4;
const ACCOUNT: &str = "services@bench.iam.gserviceaccount.com";

pub(crate) struct System {
    emulator: Emulator,
    pub(crate) store: Arc<dyn Store>,
    identity: Arc<dyn TokenSource>,
}

/// A poller of one worker.
pub(crate) struct Poller {
    client: PollerClient,
    _stop: DropGuard,
}

impl System {
    pub(crate) async fn start() -> Self {
        let (listener, _) = bound().await;
        let builder = Emulator::builder().memory().bucket(BUCKET);
        let emulator = builder.service_account(ACCOUNT).start(listener).await.unwrap();
        let settings = GcsSettings::emulator(origin(&emulator.url()));
        let store = Arc::new(GcsStore::connect(settings).await.unwrap());
        let server = MetadataServer::new(Some(emulator.url().authority()));
        Self { emulator, store, identity: Arc::new(Cached::new(server)) }
    }

    /// The address of storage.
    pub(crate) fn storage(&self) -> String {
        self.emulator.url().authority().to_owned()
    }

    pub(crate) fn guard(&self, service: &Url) -> GuardSettings {
        GuardSettings {
            mode: Mode::Verify,
            audiences: vec![origin(service)],
            allowed_callers: vec![ACCOUNT.to_owned()],
            rights: Vec::new(),
            issuers: vec![ISSUER.to_owned()],
            jwks_url: self.emulator.url().join("oauth2/v3/certs").unwrap(),
        }
    }

    /// Lays so many files into the inbox, and nothing else is there.
    pub(crate) fn lay(&self, files: usize) {
        let bucket = self.emulator.storage();
        for object in bucket.list("").unwrap() {
            bucket.remove(&object.name).unwrap();
        }
        let rows = (0..100).map(|day| format!("{day},{}\n", 250 + day % 7));
        let content = format!("day,reaction_ms\n{}", rows.collect::<String>());
        for n in 0..files {
            bucket.put(&format!("incoming/device-{n:05}.csv"), content.clone()).unwrap();
        }
    }

    pub(crate) async fn poller(&self, worker: &Worker) -> Poller {
        let (listener, url) = bound().await;
        let flags = [
            format!("--inbox=gs://{BUCKET}/incoming/"),
            format!("--worker-url={}", worker.url),
            format!("--worker-protocol={}", worker.protocol),
            format!("--concurrency={IN_FLIGHT}"),
        ];
        let args: PollerArgs = from_flags(&flags.each_ref().map(String::as_str)).unwrap();
        let mut problems = Problems::default();
        let settings = args.resolve(&mut problems);
        let settings = problems.into_settings(settings).unwrap();
        let outside = Dependencies {
            store: self.store.clone(),
            identity: self.identity.clone(),
            observer: None,
            process: Process::default(),
        };
        let (stop, guard) = (CancellationToken::new(), self.guard(&url));
        let stopped = stop.clone();
        tokio::spawn(async move {
            let poller =
                brigade::poller::serve(listener, &settings, guard, async { Ok(outside) }, stopped);
            poller.await.unwrap();
        });
        let client = PollerClient::new(&url, Some(self.identity.clone()), None).unwrap();
        Poller { client, _stop: stop.drop_guard() }
    }
}

impl Poller {
    /// One poll, which processes exactly so many files.
    pub(crate) async fn poll(&self, files: usize) {
        let mut events = self.client.poll(PollRequest::default()).await.unwrap();
        let mut finished = None;
        while let Some(response) = events.message().await.unwrap() {
            match response.event {
                Some(Event::Finished(end)) => finished = Some(end),
                Some(Event::Settled(settled)) => assert_eq!(settled.reason, ""),
                _ => {}
            }
        }
        let finished = finished.unwrap();
        assert_eq!(finished.reason(), EndReason::Complete, "{finished:?}");
        let processed = usize::try_from(finished.counts.unwrap().processed);
        assert_eq!(processed, Ok(files), "{finished:?}");
    }
}

pub(crate) async fn bound() -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url.parse().unwrap())
}
