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
    exec::ExecProcessor, sample::SleepStudy, serve::serve_on, settings::WorkerSettings,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves until a signal ends it: the exec worker, or the sample when no program is set.
pub async fn run(args: &Args, problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "info");
    let settings = args.resolve(problems)?;
    match settings.worker.exec.clone() {
        Some(program) => settings.serve(ExecProcessor::new(program)).await?,
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
    match settings.exec.clone().map(ExecProcessor::new) {
        Some(exec) => serve_on(listener, exec, settings, auth, store, shutdown).await,
        None => serve_on(listener, SleepStudy, settings, auth, store, shutdown).await,
    }
}
