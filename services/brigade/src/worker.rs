//! `brigade worker`: serves a worker.

use std::sync::Arc;

use brigade_runtime::{
    exit::{Exit, Failure},
    service::AuthConfig,
    settings::Problems,
    telemetry::{self, Format},
};
use brigade_storage::Store;
use brigade_worker::{
    exec::{self, ExecProcessor, PersistentProcessor},
    sample::SleepStudy,
    serve::{self, serve_on},
    settings::{ExecArgs, ExecSettings, PersistentSettings, WorkerSettings},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    exec: ExecArgs,
    #[command(flatten)]
    worker: serve::Args,
}

/// What a worker without a processor of its own runs.
enum Program {
    Once(ExecProcessor),
    /// It is to be started.
    Persistent(ExecSettings, PersistentSettings),
    Sample,
}

/// Serves until a signal ends it: a program, or the sample when none is set.
pub async fn run(args: &Args, mut problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "info");
    let exec = args.exec.resolve(&mut problems);
    let mut settings = args.worker.resolve(problems)?;
    settings.worker.exec = exec.flatten();
    match program(&settings.worker) {
        Program::Once(exec) => settings.serve(exec).await?,
        Program::Persistent(exec, persistent) => {
            settings.serve_started(|| PersistentProcessor::start(&exec, &persistent)).await?;
        }
        Program::Sample => settings.serve(SleepStudy).await?,
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
        Program::Once(exec) => serve_on(listener, exec, settings, auth, store, shutdown).await,
        Program::Persistent(exec, persistent) => {
            let exec = PersistentProcessor::start(&exec, &persistent);
            serve_on(listener, exec, settings, auth, store, shutdown).await
        }
        Program::Sample => serve_on(listener, SleepStudy, settings, auth, store, shutdown).await,
    }
}

/// The program of these settings. What earlier workers left is removed.
fn program(settings: &WorkerSettings) -> Program {
    let Some(exec) = &settings.exec else { return Program::Sample };
    exec::remove_abandoned();
    exec.log_notes();
    if let Some(persistent) = &exec.persistent {
        return Program::Persistent(exec.clone(), persistent.clone());
    }
    let ExecSettings { program, environment, unpack, .. } = exec.clone();
    Program::Once(ExecProcessor::new(program).environment(environment).unpack(unpack))
}
