//! `brigade worker`: serves a worker.

use std::sync::Arc;

use brigade_runtime::{
    exit::{Exit, Failure},
    service::AuthConfig,
    settings::Problems,
    telemetry::{self, Format},
};
use brigade_storage::Store;
pub use brigade_worker::serve::Args;
use brigade_worker::{
    exec::{self, ExecProcessor},
    sample::SleepStudy,
    serve::serve_on,
    settings::WorkerSettings,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves until a signal ends it: the exec worker, or the sample when no program is set.
pub async fn run(args: &Args, problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "info");
    let settings = args.resolve(problems)?;
    match program(&settings.worker) {
        Some(exec) => settings.serve(exec).await?,
        None => settings.serve(SleepStudy).await?,
    }
    Ok(Exit::Done)
}

/// The same on a bound listener, until `shutdown`.
pub async fn serve(
    listener: TcpListener,
    settings: &WorkerSettings,
    auth: impl Into<AuthConfig>,
    store: Arc<dyn Store>,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    match program(settings) {
        Some(exec) => serve_on(listener, exec, settings, auth, store, shutdown).await,
        None => serve_on(listener, SleepStudy, settings, auth, store, shutdown).await,
    }
}

/// The program of these settings, if they have one. What earlier workers left is removed.
fn program(settings: &WorkerSettings) -> Option<ExecProcessor> {
    let program = settings.exec.clone()?;
    exec::remove_abandoned();
    Some(ExecProcessor::new(program).unpack(settings.unpack))
}
