//! `brigade worker`: serves a worker.

use std::sync::Arc;

use brigade_runtime::{
    exit::{Exit, Failure},
    serve,
    settings::{GuardArgs, ServerArgs},
    shutdown,
    telemetry::{self, Format},
};
use brigade_storage::Store;
use brigade_worker::{
    exec::ExecProcessor,
    routes,
    sample::SleepStudy,
    settings::{WorkerArgs, WorkerSettings},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    gate::{self, Gate},
    setup,
};

/// The arguments.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    guard: GuardArgs,
    #[command(flatten)]
    worker: WorkerArgs,
}

/// Serves until it is told to stop.
pub async fn run(args: &Args) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "info");
    let mut problems = setup::problems();
    let server = args.server.resolve(&mut problems);
    let gate = Gate::resolve(&args.guard, server.as_ref(), &mut problems);
    let settings = args.worker.resolve(&mut problems);
    problems.into_result()?;
    let (Some(server), Some(gate), Some(settings)) = (server, gate, settings) else {
        return Err(Failure::usage(
            "the settings are not complete",
            "see --help",
        ));
    };
    let shutdown = shutdown::signal();
    let listener = serve::bind(server.address).await?;
    // The one that was bound: port 0 is any.
    let address = listener.local_addr().unwrap_or(server.address);
    tracing::info!(%address, exec = args.worker.exec, "serving the worker");
    let store = async { Ok(setup::store().await? as Arc<dyn Store>) };
    serve_with(listener, &settings, gate, store, shutdown).await?;
    Ok(Exit::Done)
}

/// Serves a worker on a bound listener until `shutdown`: the exec worker, or the sample when no program is set.
pub async fn serve(
    listener: TcpListener,
    settings: &WorkerSettings,
    gate: impl Into<Gate>,
    store: Arc<dyn Store>,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let store = std::future::ready(Ok(store));
    serve_with(listener, settings, gate, store, shutdown).await
}

/// The same, with a store that is connected while the port is open already.
async fn serve_with(
    listener: TcpListener,
    settings: &WorkerSettings,
    gate: impl Into<Gate>,
    store: impl Future<Output = Result<Arc<dyn Store>, Failure>>,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let routes = async {
        let store = store.await?;
        Ok(match &settings.exec {
            Some(program) => routes(ExecProcessor::new(program.clone()), store, settings),
            None => routes(SleepStudy, store, settings),
        })
    };
    let service = "brigade.v1.WorkerService";
    gate::serve(listener, routes, service, gate.into(), shutdown).await
}
