//! `brigade worker`: serves a worker.

use std::sync::Arc;

use brigade_runtime::{
    exit::{Exit, Failure},
    service::AuthConfig,
    telemetry::{self, Format},
};
use brigade_storage::Store;
pub use brigade_worker::serve::Args;
use brigade_worker::{
    exec::ExecProcessor, sample::SleepStudy, serve::serve_on, settings::WorkerSettings,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::setup;

/// Serves until it is told to stop: the exec worker, or the sample when no program is set.
pub async fn run(args: &Args) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "info");
    let settings = args.resolve(setup::problems())?;
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
    gate: impl Into<AuthConfig>,
    store: Arc<dyn Store>,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let gate = gate.into();
    match &settings.exec {
        Some(program) => {
            let processor = ExecProcessor::new(program.clone());
            serve_on(listener, processor, settings, gate, store, shutdown).await
        }
        None => serve_on(listener, SleepStudy, settings, gate, store, shutdown).await,
    }
}
