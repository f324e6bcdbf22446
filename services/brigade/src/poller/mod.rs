//! `brigade poller`: serves the poller.

pub(crate) mod queue;

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use brigade_client::{HttpWorkerClient, WorkerClient, identity::TokenSource};
use brigade_poller::{
    dispatch::Worker,
    inbox::access::AccessArgs,
    lease::Process,
    poller::Poller,
    settings::{PollerArgs, PollerSettings, Protocol, WorkerAuth},
    trigger,
};
use brigade_proto::v1::PollResponse;
use brigade_runtime::{
    exit::{Exit, Failure},
    export::{Telemetry, TelemetryArgs, TelemetrySettings},
    guard::GuardArgs,
    serve,
    service::{AuthConfig, Service},
    settings::{Problems, ServerArgs},
    shutdown,
    telemetry::{self, Format},
};
use brigade_storage::Store;
use tokio::{net::TcpListener, sync::broadcast};
use tokio_util::sync::CancellationToken;

use crate::{outcome::failure, setup};

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    guard: GuardArgs,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    telemetry: TelemetryArgs,
    #[command(flatten)]
    poller: PollerArgs,
}

// === impl Args ===

impl Args {
    /// The same for a check of them in another place than the service's.
    pub(crate) fn elsewhere(&self) -> Self {
        let args = self.clone();
        Self { guard: args.guard.elsewhere(), ..args }
    }

    /// Where it listens and who may call; notes every problem.
    pub(crate) fn callers(&self, problems: &mut Problems) -> Option<(SocketAddr, AuthConfig)> {
        let address = self.server.resolve(problems);
        let auth = AuthConfig::resolve(&self.guard, address, problems);
        let rights = self.access.resolve(problems);
        let (mut auth, rights) = auth.zip(rights)?;
        auth.guard.rights = rights;
        address.zip(Some(auth))
    }

    /// What it polls and calls, and its telemetry; notes every problem.
    pub(crate) fn settings(
        &self,
        problems: &mut Problems,
    ) -> Option<(PollerSettings, TelemetrySettings)> {
        let (poller, telemetry) = (self.poller.resolve(problems), self.telemetry.resolve(problems));
        poller.zip(telemetry)
    }
}

/// Serves until a signal ends it.
pub async fn run(args: &Args, mut problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "info");
    let callers = args.callers(&mut problems);
    let settings = args.settings(&mut problems);
    if let (Some((_, auth)), Some((settings, _))) = (&callers, &settings) {
        queue::check(settings, auth, &mut problems);
    }
    let given = callers.zip(settings);
    let ((address, auth), (settings, mut telemetry)) = problems.into_settings(given)?;
    telemetry.metrics_route = auth.guard.rights.iter().any(|right| !right.emails.is_empty());
    let telemetry = Telemetry::start(telemetry, "bucket-brigade-poller").await?;
    let shutdown = shutdown::signal();
    let listener = serve::bind(address).await?;
    // Port 0 means any free port.
    let address = listener.local_addr().unwrap_or(address);
    tracing::info!(%address, inbox = %settings.config.inbox, worker = %settings.worker_url, "serving the poller");
    let served = serve(listener, &settings, auth, dependencies(&settings), shutdown).await;
    telemetry.shutdown().await;
    served.map(|()| Exit::Done)
}

/// What the environment has. The worker's token is fetched in advance, so that the first call need not wait for it.
async fn dependencies(settings: &PollerSettings) -> Result<Dependencies, Failure> {
    let identity = setup::identity()?;
    let audience = settings.audience();
    if settings.worker_auth == WorkerAuth::Google {
        let source = identity.clone();
        tokio::spawn(async move {
            if let Err(error) = source.fetch(&audience).await {
                tracing::warn!(audience, error = %error, "no ID token for the worker yet; the first poll asks again");
            }
        });
    }
    Ok(Dependencies {
        store: setup::store().await?,
        identity,
        observer: None,
        process: Process::default(),
    })
}

/// What a poller needs from outside of its process.
#[derive(Debug)]
pub struct Dependencies {
    /// Where the objects are.
    pub store: Arc<dyn Store>,
    /// Where its ID tokens come from.
    pub identity: Arc<dyn TokenSource>,
    /// Receives the events of every poll.
    pub observer: Option<broadcast::Sender<PollResponse>>,
    /// The process that the lease names.
    pub process: Process,
}

/// Serves a poller on a bound listener until `shutdown`, and drains the polls that then run. The port is open while
/// `dependencies` connects.
pub async fn serve(
    listener: TcpListener,
    settings: &PollerSettings,
    auth: impl Into<AuthConfig>,
    dependencies: impl Future<Output = Result<Dependencies, Failure>>,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let auth = auth.into();
    let queue = queue::connect(settings, &auth)?;
    let made = OnceLock::new();
    let routes = async {
        let Dependencies { store, identity, observer, process } = dependencies.await?;
        let poller = Poller::new(settings.config.clone(), &*store, worker(settings, identity)?)
            .queue(queue)
            .observer(observer)
            .store(store)
            .process(process)
            .shutdown(shutdown.clone());
        Ok(trigger::routes(made.get_or_init(|| poller)).merge(Telemetry::routes().reset_fallback()))
    };
    let service = Service::new("brigade.v1.PollerService", auth).routes(routes);
    service.serve(listener, shutdown.clone()).await?;
    if let Some(poller) = made.get() {
        poller.drained().await;
    }
    Ok(())
}

/// The worker's client, as the settings say.
pub(crate) fn worker(
    settings: &PollerSettings,
    identity: Arc<dyn TokenSource>,
) -> Result<Arc<dyn Worker>, Failure> {
    let identity = (settings.worker_auth == WorkerAuth::Google).then_some(identity);
    let url = &settings.worker_url;
    let audience = settings.worker_audience.as_deref();
    Ok(match settings.worker_protocol {
        Protocol::Grpc => Arc::new(WorkerClient::new(url, identity, audience).map_err(failure)?),
        Protocol::Http => {
            Arc::new(HttpWorkerClient::new(url, identity, audience).map_err(failure)?)
        }
    })
}
