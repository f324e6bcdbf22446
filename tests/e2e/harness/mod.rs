//! Starts everything on port 0, and tells what became of the objects.

mod page;
mod polled;
mod processor;

use std::{sync::Arc, time::Duration};

use brigade::{AuthConfig, poller::Dependencies};
use brigade_client::{
    PollerClient,
    identity::{Cached, MetadataServer, TokenSource, origin},
};
use brigade_emulator::{Emulator, FrontEnd, frontend::Service, identity::ISSUER};
use brigade_poller::{
    config::{Budgets, Config},
    settings::{PollerSettings, Protocol},
};
use brigade_proto::v1::{PollRequest, PollResponse, poll_response::Event};
use brigade_runtime::guard::{GuardSettings, Mode};
use brigade_storage::Location;
use brigade_storage::gcs::{Credentials, GcsSettings, GcsStore};
use brigade_worker::{Processor, settings::WorkerSettings};
use tokio::{net::TcpListener, sync::broadcast, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use url::Url;

pub(crate) use page::{cut_short, front_end};
pub(crate) use polled::Polled;
pub(crate) use processor::{accepting, scripted};

pub(crate) const BUCKET: &str = "data";
pub(crate) const POLLER: &str = "poller@test.iam.gserviceaccount.com";
pub(crate) const CALLER: &str = "caller@test.iam.gserviceaccount.com";
pub(crate) const STRANGER: &str = "stranger@test.iam.gserviceaccount.com";

/// The parts of one test.
pub(crate) struct System {
    pub(crate) emulator: Emulator,
    pub(crate) poller: Url,
    pub(crate) worker: Url,
    front: Option<FrontEnd>,
    bucket: &'static str,
    /// What every poll and event tells.
    pub(crate) events: broadcast::Sender<PollResponse>,
    adjust: fn(&mut PollerSettings),
    stop_worker: CancellationToken,
    stop_poller: CancellationToken,
    services: JoinSet<()>,
}

impl System {
    /// Everything, with this processor in the worker.
    pub(crate) async fn with_processor(processor: impl Processor) -> Self {
        let mut system = Self::bare().await;
        let listener = loopback().await;
        system.worker = url(&listener);
        system.start_worker(listener, processor).await;
        let identity = system.metadata();
        system.start_poller(identity).await;
        system
    }

    /// The same, with other settings of the poller.
    pub(crate) async fn with_settings(
        processor: impl Processor,
        adjust: fn(&mut PollerSettings),
    ) -> Self {
        let mut system = Self::with_processor(processor).await;
        system.adjust = adjust;
        let identity = system.metadata();
        system.start_poller(identity).await;
        system
    }

    /// Everything in its deployed shape: the worker accepts everything, and before it is a front end for this service.
    pub(crate) async fn behind_front_end(service: impl FnOnce(Service) -> Service) -> Self {
        let mut system = Self::bare().await;
        let listener = loopback().await;
        let service = service(Service::new("worker", listener.local_addr().unwrap()));
        let front = system.emulator.front_end(loopback().await, &service);
        let front = system.front.insert(front.unwrap());
        system.worker = front.url();
        system.start_worker(listener, accepting()).await;
        let identity = system.metadata();
        system.start_poller(identity).await;
        system
    }

    /// What stands before the worker.
    pub(crate) fn front(&self) -> &FrontEnd {
        self.front.as_ref().unwrap()
    }

    /// A worker on this listener, for tokens that name the worker's URL.
    async fn start_worker(&mut self, listener: TcpListener, processor: impl Processor) {
        let store = self.store().await;
        let routes = brigade_worker::routes(processor, store, &WorkerSettings::default());
        let guard = self.guard(&self.worker, &[POLLER]);
        let stop = self.stop_worker.clone();
        self.services.spawn(async move {
            let service = brigade::Service::new("brigade.v1.WorkerService", guard);
            let service = service.routes(async { Ok(routes) });
            service.serve(listener, stop).await.unwrap();
        });
    }

    /// Everything, with the exec worker or the sample in the worker.
    pub(crate) async fn with_worker(settings: WorkerSettings) -> Self {
        let mut system = Self::bare().await;
        let listener = loopback().await;
        system.worker = url(&listener);
        let store = system.store().await;
        let guard = system.guard(&system.worker, &[POLLER]);
        let stop = system.stop_worker.clone();
        system.services.spawn(async move {
            brigade::worker::serve(listener, &settings, guard, store, stop)
                .await
                .unwrap();
        });
        let identity = system.metadata();
        system.start_poller(identity).await;
        system
    }

    /// A poller whose worker is whatever answers at `worker`.
    pub(crate) async fn with_worker_at(worker: Url) -> Self {
        let mut system = Self::bare().await;
        system.worker = worker;
        let identity = system.metadata();
        system.start_poller(identity).await;
        system
    }

    /// Everything, with this processor in the worker, and a poller whose settings are tuned.
    pub(crate) async fn tuned(
        processor: impl Processor,
        tune: impl FnOnce(&Self, &mut PollerSettings),
    ) -> Self {
        let mut system = Self::bare().await;
        let listener = loopback().await;
        system.worker = url(&listener);
        system.start_worker(listener, processor).await;
        system.start_tuned(tune).await;
        system
    }

    /// A poller whose settings are tuned, and whose worker is whatever answers at `worker`.
    pub(crate) async fn tuned_at(
        worker: Url,
        tune: impl FnOnce(&Self, &mut PollerSettings),
    ) -> Self {
        let mut system = Self::bare().await;
        system.worker = worker;
        system.start_tuned(tune).await;
        system
    }

    /// A poller with this identity, whose worker accepts everything.
    pub(crate) async fn with_identity(
        identity: impl FnOnce(&Emulator) -> Arc<dyn TokenSource>,
    ) -> Self {
        let mut system = Self::with_processor(accepting()).await;
        let identity = identity(&system.emulator);
        system.start_poller(identity).await;
        system
    }

    async fn bare() -> Self {
        let emulator = Emulator::builder()
            .memory()
            .bucket(BUCKET)
            .service_account(POLLER)
            .service_account(CALLER)
            .service_account(STRANGER)
            .start(loopback().await)
            .await
            .unwrap();
        let nowhere = Url::parse("http://127.0.0.1:1").unwrap();
        Self {
            emulator,
            poller: nowhere.clone(),
            worker: nowhere,
            front: None,
            bucket: BUCKET,
            events: broadcast::channel(4096).0,
            adjust: |_| {},
            stop_worker: CancellationToken::new(),
            stop_poller: CancellationToken::new(),
            services: JoinSet::new(),
        }
    }

    /// A poller whose inbox is in a bucket that is not there.
    pub(crate) async fn without_bucket() -> Self {
        let mut system = Self::bare().await;
        system.bucket = "no-such-bucket";
        let identity = system.metadata();
        system.start_poller(identity).await;
        system
    }

    async fn start_poller(&mut self, identity: Arc<dyn TokenSource>) {
        self.start(identity, |_, _| {}).await;
    }

    async fn start_tuned(&mut self, tune: impl FnOnce(&Self, &mut PollerSettings)) {
        self.start(self.metadata(), tune).await;
    }

    async fn start(
        &mut self,
        identity: Arc<dyn TokenSource>,
        tune: impl FnOnce(&Self, &mut PollerSettings),
    ) {
        self.stop_poller.cancel();
        self.stop_poller = CancellationToken::new();
        let listener = loopback().await;
        self.poller = url(&listener);
        let mut settings = self.poller_settings();
        tune(self, &mut settings);
        let gate = AuthConfig {
            guard: self.guard(&self.poller, &[CALLER]),
            public_url: Some(self.poller.clone()),
        };
        let outside = Dependencies {
            store: self.store().await,
            identity,
            observer: Some(self.events.clone()),
        };
        let stop = self.stop_poller.clone();
        self.services.spawn(async move {
            brigade::poller::serve(listener, &settings, gate, async { Ok(outside) }, stop)
                .await
                .unwrap();
        });
    }

    fn poller_settings(&self) -> PollerSettings {
        let mut settings = PollerSettings {
            config: Config {
                budgets: Budgets {
                    concurrency: 8,
                    process_timeout: Duration::from_secs(30),
                    // Longer than a busy machine takes for any poll of a test.
                    poll_deadline: Duration::from_secs(60),
                    breaker: 3,
                    ..Budgets::default()
                },
                ..Config::for_inbox(Location::new(self.bucket, "incoming/"))
            },
            worker_url: self.worker.clone(),
            worker_audience: None,
            worker_protocol: Protocol::Grpc,
            tasks: None,
        };
        (self.adjust)(&mut settings);
        settings
    }

    fn guard(&self, service: &Url, callers: &[&str]) -> GuardSettings {
        let keys = self
            .emulator
            .env()
            .into_iter()
            .find(|(name, _)| name == "BRIGADE_JWKS_URL")
            .unwrap()
            .1;
        GuardSettings {
            mode: Mode::Verify,
            audiences: vec![origin(service)],
            allowed_callers: callers.iter().map(|caller| (*caller).to_owned()).collect(),
            issuers: vec![ISSUER.to_owned()],
            jwks_url: keys.parse().unwrap(),
        }
    }

    pub(crate) async fn store(&self) -> Arc<GcsStore> {
        let endpoint = Some(origin(&self.emulator.url()));
        let settings = GcsSettings {
            grpc_endpoint: endpoint.clone(),
            json_endpoint: endpoint,
            credentials: Credentials::Anonymous,
        };
        Arc::new(GcsStore::connect(settings).await.unwrap())
    }

    fn metadata(&self) -> Arc<dyn TokenSource> {
        Arc::new(Cached::new(MetadataServer::new(Some(
            self.emulator.url().authority(),
        ))))
    }

    /// Stops the worker, and waits until its port is closed.
    pub(crate) async fn stop_worker(&mut self) {
        self.stop_worker.cancel();
        while tokio::net::TcpStream::connect(self.worker.socket_addrs(|| None).unwrap()[0])
            .await
            .is_ok()
        {
            tokio::task::yield_now().await;
        }
    }

    /// Uploads content under a name below the inbox.
    pub(crate) fn upload(&self, name: &str, content: &str) -> i64 {
        self.emulator
            .storage()
            .bucket(BUCKET)
            .put(&format!("incoming/{name}"), content.to_owned())
            .unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let objects = self.emulator.storage().bucket(BUCKET).list("").unwrap();
        objects.into_iter().map(|object| object.name).collect()
    }

    pub(crate) fn content(&self, name: &str) -> String {
        let content = self
            .emulator
            .storage()
            .bucket(BUCKET)
            .read(name)
            .unwrap()
            .unwrap();
        String::from_utf8(content.to_vec()).unwrap()
    }

    /// The custom metadata of an object.
    pub(crate) async fn metadata_of(&self, name: &str) -> brigade_storage::Metadata {
        use brigade_storage::Store as _;
        self.store()
            .await
            .bucket(BUCKET)
            .get(name)
            .await
            .unwrap()
            .metadata
    }

    pub(crate) fn client(&self) -> PollerClient {
        let server = MetadataServer::new(Some(self.emulator.url().authority())).for_account(CALLER);
        PollerClient::new(&self.poller, Some(Arc::new(Cached::new(server))), None).unwrap()
    }

    /// Polls through the real client, and keeps what it says.
    pub(crate) async fn poll(&self) -> Result<Polled, Status> {
        self.poll_by(&self.client()).await
    }

    /// The same by a client that has its token already.
    pub(crate) async fn poll_by(&self, client: &PollerClient) -> Result<Polled, Status> {
        let mut events = client.poll(PollRequest::default()).await?;
        let mut polled = Polled::default();
        while let Some(response) = events.message().await? {
            match response.event.unwrap() {
                Event::Settled(settled) => polled.settled.push(settled),
                Event::Finished(finished) => polled.finished = Some(finished),
                Event::Started(_) | Event::Skipped(_) => {}
            }
        }
        Ok(polled)
    }
}

pub(crate) async fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

pub(crate) fn url(listener: &TcpListener) -> Url {
    Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap()
}
