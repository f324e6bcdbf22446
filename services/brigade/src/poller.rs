//! `brigade poller`: serves the poller.

mod queue;

use std::sync::{Arc, OnceLock};

use brigade_client::{
    HttpWorkerClient, WorkerClient,
    identity::{TokenSource, origin},
};
use brigade_poller::{
    dispatch::Worker,
    poller::Poller,
    settings::{PollerArgs, PollerSettings, Protocol},
    trigger,
};
use brigade_proto::v1::PollResponse;
use brigade_runtime::{
    exit::{Exit, Failure},
    guard::GuardArgs,
    serve,
    service::{AuthConfig, Service},
    settings::ServerArgs,
    shutdown,
    telemetry::{self, Format},
};
use brigade_storage::Store;
use tokio::{net::TcpListener, sync::broadcast};
use tokio_util::sync::CancellationToken;

use crate::{outcome, setup};

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    guard: GuardArgs,
    #[command(flatten)]
    poller: PollerArgs,
}

/// Serves until it is told to stop.
pub async fn run(args: &Args) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "info");
    let mut problems = setup::problems();
    let server = args.server.resolve(&mut problems);
    let gate = AuthConfig::resolve(&args.guard, server.as_ref(), &mut problems);
    let settings = args.poller.resolve(&mut problems);
    if let (Some(gate), Some(settings)) = (&gate, &settings) {
        queue::check(settings, gate, &mut problems);
    }
    problems.into_result()?;
    let (Some(server), Some(gate), Some(settings)) = (server, gate, settings) else {
        return Err(setup::incomplete());
    };
    let shutdown = shutdown::signal();
    let listener = serve::bind(server.address).await?;
    // The one that was bound: port 0 is any.
    let address = listener.local_addr().unwrap_or(server.address);
    tracing::info!(%address, inbox = %settings.config.inbox, worker = %settings.worker_url, "serving the poller");
    serve_with(listener, &settings, gate, outside(&settings), shutdown).await?;
    Ok(Exit::Done)
}

/// What the environment has. The worker's token is asked for already, so that the first call need not wait for it.
async fn outside(settings: &PollerSettings) -> Result<Dependencies, Failure> {
    let identity = setup::identity()?;
    let audience = settings.worker_audience.clone();
    let audience = audience.unwrap_or_else(|| origin(&settings.worker_url));
    let source = identity.clone();
    tokio::spawn(async move {
        if let Err(error) = source.fetch(&audience).await {
            tracing::warn!(audience, error = %error, "no ID token for the worker yet; the first poll asks again");
        }
    });
    Ok(Dependencies {
        store: setup::store().await?,
        identity,
        observer: None,
    })
}

/// What a poller reaches outside of itself.
#[derive(Debug)]
pub struct Dependencies {
    /// Where the objects are.
    pub store: Arc<dyn Store>,
    /// Where its ID tokens come from.
    pub identity: Arc<dyn TokenSource>,
    /// Who watches every poll.
    pub observer: Option<broadcast::Sender<PollResponse>>,
}

/// Serves a poller on a bound listener until `shutdown`; polls that run then end first.
pub async fn serve(
    listener: TcpListener,
    settings: &PollerSettings,
    gate: impl Into<AuthConfig>,
    outside: Dependencies,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let outside = std::future::ready(Ok(outside));
    serve_with(listener, settings, gate, outside, shutdown).await
}

/// The same, with what is connected while the port is open already.
async fn serve_with(
    listener: TcpListener,
    settings: &PollerSettings,
    gate: impl Into<AuthConfig>,
    outside: impl Future<Output = Result<Dependencies, Failure>>,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let gate = gate.into();
    let queue = queue::of(settings, &gate)?;
    let made = OnceLock::new();
    let routes = async {
        let outside = outside.await?;
        let worker = worker(settings, outside.identity)?;
        let poller = Poller::new(settings.config.clone(), &*outside.store, worker)
            .queue(queue)
            .observer(outside.observer)
            .shutdown(shutdown.clone());
        Ok(trigger::routes(made.get_or_init(|| poller)))
    };
    let service = Service::new("brigade.v1.PollerService", gate).routes(routes);
    service.serve(listener, shutdown.clone()).await?;
    if let Some(poller) = made.get() {
        poller.drained().await;
    }
    Ok(())
}

fn worker(
    settings: &PollerSettings,
    identity: Arc<dyn TokenSource>,
) -> Result<Arc<dyn Worker>, Failure> {
    let (url, identity) = (&settings.worker_url, Some(identity));
    let audience = settings.worker_audience.as_deref();
    let failed = |error| outcome::connect(&error);
    Ok(match settings.worker_protocol {
        Protocol::Grpc => Arc::new(WorkerClient::new(url, identity, audience).map_err(failed)?),
        Protocol::Http => Arc::new(HttpWorkerClient::new(url, identity, audience).map_err(failed)?),
    })
}
