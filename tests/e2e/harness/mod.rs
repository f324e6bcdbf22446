//! Starts everything on port 0, and looks what became of the objects.

mod page;
mod polled;
mod processor;

use std::{sync::Arc, time::Duration};

use brigade::{AuthConfig, poller::Dependencies};
use brigade_client::{
    InboxClient, PollerClient,
    identity::{Cached, MetadataServer, TokenSource, origin},
};
use brigade_emulator::{
    Emulator, FrontEnd,
    frontend::Service,
    identity::ISSUER,
    storage::{Fault, HitCount, Operation},
};
use brigade_poller::{
    config::{Budgets, Config},
    inbox::access,
    lease::Process,
    poller::Poller,
    request::Trigger,
    settings::{PollerSettings, Protocol, WorkerAuth},
};
use brigade_proto::v1::{
    ObjectSettled, PollRequest, PollResponse, Settlement, poll_response::Event,
};
use brigade_runtime::guard::{GuardSettings, Mode};
use brigade_storage::Location;
use brigade_storage::gcs::{GcsSettings, GcsStore};
use brigade_worker::{Processor, settings::WorkerSettings};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use url::Url;

pub(crate) use page::{cut_short, front_end};
pub(crate) use polled::Polled;
pub(crate) use processor::{accepting, held, scripted};

pub(crate) const BUCKET: &str = "data";
pub(crate) const POLLER: &str = "poller@test.iam.gserviceaccount.com";
pub(crate) const CALLER: &str = "caller@test.iam.gserviceaccount.com";
pub(crate) const READER: &str = "reader@test.iam.gserviceaccount.com";
pub(crate) const OPERATOR: &str = "operator@test.iam.gserviceaccount.com";
pub(crate) const STRANGER: &str = "stranger@test.iam.gserviceaccount.com";

/// The parts of one test.
pub(crate) struct System {
    pub(crate) emulator: Emulator,
    pub(crate) poller: Url,
    pub(crate) worker: Url,
    front: Option<FrontEnd>,
    bucket: &'static str,
    /// What every poll and event reports.
    pub(crate) events: broadcast::Sender<PollResponse>,
    stop_worker: CancellationToken,
    pub(crate) stop_poller: CancellationToken,
    services: JoinSet<()>,
}

impl System {
    /// Everything, with this processor in the worker.
    pub(crate) async fn with_processor(processor: impl Processor) -> Self {
        Self::tuned(processor, |_, _| {}).await
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
        system.start(system.metadata(), |_, _| {}).await;
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
            brigade::worker::serve(listener, &settings, guard, store, stop).await.unwrap();
        });
        system.start(system.metadata(), |_, _| {}).await;
        system
    }

    /// A poller whose worker is whatever answers at `worker`.
    pub(crate) async fn with_worker_at(worker: Url) -> Self {
        Self::tuned_at(worker, |_, _| {}).await
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
        system.start(system.metadata(), tune).await;
        system
    }

    /// A poller whose settings are tuned, and whose worker is whatever answers at `worker`.
    pub(crate) async fn tuned_at(
        worker: Url,
        tune: impl FnOnce(&Self, &mut PollerSettings),
    ) -> Self {
        let mut system = Self::bare().await;
        system.worker = worker;
        system.start(system.metadata(), tune).await;
        system
    }

    /// A poller with this identity, whose worker accepts everything.
    pub(crate) async fn with_identity(
        identity: impl FnOnce(&Emulator) -> Arc<dyn TokenSource>,
    ) -> Self {
        let mut system = Self::with_processor(accepting()).await;
        let identity = identity(&system.emulator);
        system.start(identity, |_, _| {}).await;
        system
    }

    async fn bare() -> Self {
        let emulator = Emulator::builder()
            .memory()
            .bucket(BUCKET)
            .service_account(POLLER)
            .service_account(CALLER)
            .service_account(READER)
            .service_account(OPERATOR)
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
            stop_worker: CancellationToken::new(),
            stop_poller: CancellationToken::new(),
            services: JoinSet::new(),
        }
    }

    /// A poller whose inbox is in a bucket that is not there.
    pub(crate) async fn without_bucket() -> Self {
        let mut system = Self::bare().await;
        system.bucket = "no-such-bucket";
        system.start(system.metadata(), |_, _| {}).await;
        system
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
        let rights = access::rights(vec![READER.to_owned()], vec![OPERATOR.to_owned()]);
        let guard = GuardSettings { rights, ..self.guard(&self.poller, &[CALLER]) };
        let gate = AuthConfig { public_url: Some(self.poller.clone()), ..guard.into() };
        let outside = Dependencies {
            store: self.store().await,
            identity,
            observer: Some(self.events.clone()),
            process: Process::default(),
        };
        let stop = self.stop_poller.clone();
        self.services.spawn(async move {
            brigade::poller::serve(listener, &settings, gate, async { Ok(outside) }, stop)
                .await
                .unwrap();
        });
    }

    fn poller_settings(&self) -> PollerSettings {
        PollerSettings {
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
            worker_auth: WorkerAuth::Google,
            tasks: None,
        }
    }

    fn guard(&self, service: &Url, callers: &[&str]) -> GuardSettings {
        let mut env = self.emulator.env().into_iter();
        let (_, keys) = env.find(|(name, _)| name == "BRIGADE_JWKS_URL").unwrap();
        GuardSettings {
            mode: Mode::Verify,
            audiences: vec![origin(service)],
            allowed_callers: callers.iter().map(|caller| (*caller).to_owned()).collect(),
            rights: Vec::new(),
            issuers: vec![ISSUER.to_owned()],
            jwks_url: keys.parse().unwrap(),
        }
    }

    pub(crate) async fn store(&self) -> Arc<GcsStore> {
        let settings = GcsSettings::emulator(origin(&self.emulator.url()));
        Arc::new(GcsStore::connect(settings).await.unwrap())
    }

    fn metadata(&self) -> Arc<dyn TokenSource> {
        let server = MetadataServer::new(Some(self.emulator.url().authority()));
        Arc::new(Cached::new(server))
    }

    /// Stops the worker, and waits until its port is closed.
    pub(crate) async fn stop_worker(&mut self) {
        self.stop_worker.cancel();
        let address = self.worker.socket_addrs(|| None).unwrap()[0];
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) fn bucket(&self) -> brigade_emulator::storage::BucketHandle {
        self.emulator.storage().bucket(BUCKET)
    }

    /// Uploads content under a name below the inbox.
    pub(crate) fn upload(&self, name: &str, content: &str) -> i64 {
        let name = format!("incoming/{name}");
        self.bucket().put(&name, content.to_owned()).unwrap()
    }

    /// Uploads files under these names.
    pub(crate) fn upload_all(&self, names: &[&str]) {
        for name in names {
            self.upload(name, "x");
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let objects = self.bucket().list("").unwrap();
        objects.into_iter().map(|object| object.name).collect()
    }

    pub(crate) fn content(&self, name: &str) -> String {
        let content = self.bucket().read(name).unwrap().unwrap();
        String::from_utf8(content.to_vec()).unwrap()
    }

    pub(crate) fn fault(&self, operation: Operation, fault: Fault) -> HitCount {
        self.emulator.storage().fault(operation, fault)
    }

    /// A token of this account for the poller.
    pub(crate) fn token(&self, account: &str) -> String {
        let issuer = self.emulator.identity();
        issuer.mint(account, &origin(&self.poller))
    }

    /// The custom metadata of an object.
    pub(crate) async fn metadata_of(&self, name: &str) -> brigade_storage::Metadata {
        use brigade_storage::Store as _;
        self.store().await.bucket(BUCKET).get(name).await.unwrap().metadata
    }

    pub(crate) fn client(&self) -> PollerClient {
        self.client_of(CALLER)
    }

    pub(crate) fn client_of(&self, account: &str) -> PollerClient {
        PollerClient::new(&self.poller, Some(self.identity(account)), None).unwrap()
    }

    pub(crate) fn inbox(&self, account: &str) -> InboxClient {
        InboxClient::new(&self.poller, Some(self.identity(account)), None).unwrap()
    }

    fn identity(&self, account: &str) -> Arc<dyn TokenSource> {
        let host = self.emulator.url();
        let server = MetadataServer::new(Some(host.authority())).for_account(account);
        Arc::new(Cached::new(server))
    }

    /// Polls through the real client, and keeps what it says.
    pub(crate) async fn poll(&self) -> Result<Polled, Status> {
        self.poll_by(&self.client()).await
    }

    /// Polls, and these files below the inbox settle like this, and no other.
    pub(crate) async fn poll_settles(&self, expected: &[(&str, Settlement)]) -> Polled {
        let polled = self.poll().await.unwrap();
        let expected = expected.iter();
        let expected: Vec<_> =
            expected.map(|(name, settlement)| (format!("incoming/{name}"), *settlement)).collect();
        assert_eq!(polled.outcomes(), expected);
        polled
    }

    /// Polls, and the error has this code and these words.
    pub(crate) async fn poll_fails(&self, code: Code, words: &str) {
        let status = self.poll().await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(words), "{status}");
    }

    /// The same by a client that has its token already.
    pub(crate) async fn poll_by(&self, client: &PollerClient) -> Result<Polled, Status> {
        self.poll_with(client, PollRequest::default()).await
    }

    /// The same with this request.
    pub(crate) async fn poll_with(
        &self,
        client: &PollerClient,
        request: PollRequest,
    ) -> Result<Polled, Status> {
        let mut events = client.poll(request).await?;
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

/// Storage, as the emulator's variables say how to reach it.
pub(crate) async fn connect(emulator: &Emulator) -> GcsStore {
    let env = emulator.env();
    let settings = GcsSettings::from_env(|name| {
        let found = env.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| value.clone())
    });
    GcsStore::connect(settings).await.unwrap()
}

/// Polls to the end: what was settled, or why the poll could not go on.
pub(crate) async fn settled(poller: &Poller) -> Result<Vec<ObjectSettled>, String> {
    let (request, trigger) = (PollRequest::default(), Trigger::default());
    let mut events = poller.start(&request, &trigger).unwrap();
    let mut all = Vec::new();
    while let Some(event) = events.recv().await {
        let event = event.map_err(|error| error.to_string())?.event;
        if let Some(Event::Settled(settled)) = event {
            all.push(settled);
        }
    }
    Ok(all)
}

pub(crate) async fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

pub(crate) fn url(listener: &TcpListener) -> Url {
    Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap()
}
