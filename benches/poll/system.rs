//! The emulator, a worker and a poller, wired as they are deployed, over real sockets.

use std::{sync::Arc, time::Duration};

use brigade::poller::Dependencies;
use brigade_client::{
    PollerClient, WorkerClient,
    identity::{Cached, MetadataServer, TokenSource, origin},
};
use brigade_emulator::{Emulator, identity::ISSUER};
use brigade_poller::{
    lease::Process,
    settings::{PollerArgs, PollerSettings},
};
use brigade_proto::v1::{EndReason, PollRequest, poll_response::Event};
use brigade_runtime::{
    guard::{GuardSettings, Mode},
    service::Service,
    settings::{Problems, from_flags},
};
use brigade_storage::{
    Bucket, Store,
    gcs::{GcsSettings, GcsStore},
};
use brigade_worker::{Job, Outcome, ProcessError, Processor, settings::WorkerSettings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

pub(crate) const BUCKET: &str = "data";
pub(crate) const IN_FLIGHT: usize = 32;
pub(crate) const ACCOUNT: &str = "services@bench.iam.gserviceaccount.com";

/// A worker whose work is to wait.
struct Waiting(Duration);

impl Processor for Waiting {
    type Error = ProcessError;

    async fn process(&self, _: &Job) -> Result<Outcome, ProcessError> {
        if !self.0.is_zero() {
            tokio::time::sleep(self.0).await;
        }
        Ok(Outcome::default())
    }
}

pub(crate) struct System {
    pub(crate) emulator: Emulator,
    pub(crate) bucket: Arc<dyn Bucket>,
    /// What the poller asks too.
    pub(crate) worker: WorkerClient,
    poller: PollerClient,
    pub(crate) poller_url: Url,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) identity: Arc<dyn TokenSource>,
}

impl System {
    /// A worker that takes so long for each object.
    pub(crate) async fn start(work: Duration) -> Self {
        let (listener, _) = bound().await;
        let builder = Emulator::builder().memory().bucket(BUCKET);
        let emulator = builder.service_account(ACCOUNT).start(listener).await.unwrap();
        let settings = GcsSettings::emulator(origin(&emulator.url()));
        let store = Arc::new(GcsStore::connect(settings).await.unwrap());
        let server = MetadataServer::new(Some(emulator.url().authority()));
        let identity: Arc<dyn TokenSource> = Arc::new(Cached::new(server));

        let (listener, worker) = bound().await;
        let routes =
            brigade_worker::routes(Waiting(work), store.clone(), &WorkerSettings::default());
        let service = Service::new("brigade.v1.WorkerService", guard(&emulator, &worker));
        let service = service.routes(async { Ok(routes) });
        tokio::spawn(service.serve(listener, CancellationToken::new()));

        let (listener, poller) = bound().await;
        let settings = poller_settings(&worker);
        let gate = guard(&emulator, &poller);
        let outside = Dependencies {
            store: store.clone(),
            identity: identity.clone(),
            observer: None,
            process: Process::default(),
        };
        tokio::spawn(async move {
            let never = CancellationToken::new();
            let poller =
                brigade::poller::serve(listener, &settings, gate, async { Ok(outside) }, never);
            poller.await.unwrap();
        });
        Self {
            emulator,
            bucket: store.bucket(BUCKET),
            worker: WorkerClient::new(&worker, Some(identity.clone()), None).unwrap(),
            poller: PollerClient::new(&poller, Some(identity.clone()), None).unwrap(),
            poller_url: poller,
            store,
            identity,
        }
    }

    pub(crate) fn guard(&self, service: &Url) -> GuardSettings {
        guard(&self.emulator, service)
    }

    /// Lays so many objects into the inbox, and nothing else is there.
    pub(crate) fn lay(&self, objects: usize) {
        let bucket = self.emulator.storage();
        for object in bucket.list("").unwrap() {
            bucket.remove(&object.name).unwrap();
        }
        for n in 0..objects {
            let name = format!("incoming/2026/11/24/device-{n:08}/night.csv");
            bucket.put(&name, "day,reaction_ms\n").unwrap();
        }
    }

    /// One poll of all of them, through the poller's own service.
    pub(crate) async fn poll(&self, objects: usize, relist: bool) {
        let request = PollRequest { relist, ..PollRequest::default() };
        let mut events = self.poller.poll(request).await.unwrap();
        let mut finished = None;
        while let Some(response) = events.message().await.unwrap() {
            if let Some(Event::Finished(end)) = response.event {
                finished = Some(end);
            }
        }
        let finished = finished.unwrap();
        assert_eq!(finished.reason(), EndReason::Complete);
        let processed = usize::try_from(finished.counts.unwrap().processed);
        assert_eq!(processed, Ok(objects));
    }
}

pub(crate) async fn bound() -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url.parse().unwrap())
}

fn poller_settings(worker: &Url) -> PollerSettings {
    let flags = [
        format!("--inbox=gs://{BUCKET}/incoming/"),
        format!("--worker-url={worker}"),
        format!("--concurrency={IN_FLIGHT}"),
    ];
    let args: PollerArgs = from_flags(&flags.each_ref().map(String::as_str)).unwrap();
    let mut problems = Problems::default();
    let settings = args.resolve(&mut problems);
    problems.into_settings(settings).unwrap()
}

fn guard(emulator: &Emulator, service: &Url) -> GuardSettings {
    GuardSettings {
        mode: Mode::Verify,
        audiences: vec![origin(service)],
        allowed_callers: vec![ACCOUNT.to_owned()],
        rights: Vec::new(),
        issuers: vec![ISSUER.to_owned()],
        jwks_url: emulator.url().join("oauth2/v3/certs").unwrap(),
    }
}
