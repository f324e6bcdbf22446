//! `brigade poller`: serves the poller.

mod queue;

use std::sync::{Arc, OnceLock};

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
pub struct Args {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    guard: GuardArgs,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    poller: PollerArgs,
}

/// Serves until a signal ends it.
pub async fn run(args: &Args, mut problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "info");
    let address = args.server.resolve(&mut problems);
    let auth = AuthConfig::resolve(&args.guard, address, &mut problems);
    let access = args.access.resolve(&mut problems);
    let settings = args.poller.resolve(&mut problems);
    if let (Some(auth), Some(settings)) = (&auth, &settings) {
        queue::check(settings, auth, &mut problems);
    }
    let given = address.zip(auth).zip(access).zip(settings);
    let (((address, mut auth), rights), settings) = problems.into_settings(given)?;
    auth.guard.rights = rights;
    let shutdown = shutdown::signal();
    let listener = serve::bind(address).await?;
    // Port 0 means any free port.
    let address = listener.local_addr().unwrap_or(address);
    tracing::info!(%address, inbox = %settings.config.inbox, worker = %settings.worker_url, "serving the poller");
    serve(listener, &settings, auth, dependencies(&settings), shutdown).await?;
    Ok(Exit::Done)
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
        Ok(trigger::routes(made.get_or_init(|| poller)))
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
