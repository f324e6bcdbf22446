//! Serves a processor: one call from an empty `main` to a worker as it is deployed.

use std::{io::Write as _, process::ExitCode, sync::Arc};

use brigade_runtime::{
    exit::{Exit, Failure},
    serve as server,
    service::{AuthConfig, Service},
    settings::{GuardArgs, Problem, Problems, ServerArgs, ServerSettings, check_unknown, names},
    shutdown,
    telemetry::{self, Format},
};
use brigade_storage::{
    Store,
    gcs::{self, GcsSettings, GcsStore},
};
use clap::Parser as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    processor::Processor,
    routes::routes_with_shutdown,
    settings::{WorkerArgs, WorkerSettings},
};

/// The name under which reflection and health know a worker.
const SERVICE: &str = "brigade.v1.WorkerService";

/// Serves a processor until SIGTERM or Ctrl-C, by the settings in the environment; for `main`:
///
/// ```no_run
/// # use brigade_worker::{Job, Outcome, ProcessError, Processor};
/// # struct Lines;
/// # impl Processor for Lines {
/// #     type Error = ProcessError;
/// #     async fn process(&self, _: &Job) -> Result<Outcome, ProcessError> {
/// #         Ok(Outcome::default())
/// #     }
/// # }
/// #[tokio::main]
/// async fn main() -> std::process::ExitCode {
///     brigade_worker::serve(Lines).await
/// }
/// ```
///
/// It brings gRPC and HTTP on one port, ID tokens checked before a byte is read, health, reflection, at most
/// `BRIGADE_CONCURRENCY` objects at once, and logs on stderr. A wrong setting is reported before anything starts; the exit
/// code is that of `sysexits(3)`. On SIGTERM the objects in flight have 9 s to end.
pub async fn serve<P: Processor>(processor: P) -> ExitCode {
    telemetry::init(Format::for_stderr(), "info");
    let served = async { from_env()?.serve(processor).await };
    match served.await {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            // When stderr is closed there is no place to report it.
            let _ = writeln!(std::io::stderr(), "{failure}");
            failure.exit.into()
        }
    }
}

/// Serves a processor on a bound listener until `shutdown`; the objects in flight then have the grace of
/// [`Limits`](brigade_runtime::serve::Limits) to end.
pub async fn serve_on<P: Processor>(
    listener: TcpListener,
    processor: P,
    settings: &WorkerSettings,
    gate: impl Into<AuthConfig>,
    store: Arc<dyn Store>,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let store = std::future::ready(Ok(store));
    serve_with(listener, processor, settings, gate.into(), store, shutdown).await
}

/// The same, with a store that connects while the port is already open.
async fn serve_with<P: Processor>(
    listener: TcpListener,
    processor: P,
    settings: &WorkerSettings,
    gate: AuthConfig,
    store: impl Future<Output = Result<Arc<dyn Store>, Failure>>,
    shutdown: CancellationToken,
) -> Result<(), Failure> {
    let stop = shutdown.clone();
    let routes = async {
        let store = store.await?;
        Ok(routes_with_shutdown(processor, store, settings, stop))
    };
    let service = Service::new(SERVICE, gate).routes(routes);
    service.serve(listener, shutdown).await
}

/// All settings of a worker, as given.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Args {
    /// The address and port.
    #[command(flatten)]
    pub server: ServerArgs,
    /// The allowed callers.
    #[command(flatten)]
    pub guard: GuardArgs,
    /// The worker's own settings.
    #[command(flatten)]
    pub worker: WorkerArgs,
}

/// All settings of a worker, as resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address and port.
    pub server: ServerSettings,
    /// The allowed callers.
    pub gate: AuthConfig,
    /// The worker's own settings.
    pub worker: WorkerSettings,
}

/// The environment alone: the arguments of a program that calls [`fn@serve`] are its own.
#[derive(clap::Parser)]
struct EnvArgs {
    #[command(flatten)]
    args: Args,
}

fn from_env() -> Result<Settings, Failure> {
    let given = EnvArgs::try_parse_from(["worker"]).map_err(|error| Failure::usage(error, ""))?;
    resolve_for_processor(&given.args, problems())
}

fn resolve_for_processor(args: &Args, mut problems: Problems) -> Result<Settings, Failure> {
    let exec = args.worker.exec.as_deref().unwrap_or_default();
    if !exec.is_empty() {
        problems.push(Problem::Conflict {
            setting: names::EXEC,
            why: "this program is a processor itself and runs no other; unset it".to_owned(),
        });
    }
    args.resolve_into(problems)
}

/// An unknown `BRIGADE_` variable is a problem too.
fn problems() -> Problems {
    let mut problems = Problems::default();
    check_unknown(std::env::vars_os().map(|(name, _)| name), &mut problems);
    problems
}

// === impl Args ===

impl Args {
    /// Resolves every setting, or names every problem at once.
    pub fn resolve(&self) -> Result<Settings, Failure> {
        self.resolve_into(problems())
    }

    fn resolve_into(&self, mut problems: Problems) -> Result<Settings, Failure> {
        let server = self.server.resolve(&mut problems);
        let gate = AuthConfig::resolve(&self.guard, server.as_ref(), &mut problems);
        let worker = self.worker.resolve(&mut problems);
        problems.into_result()?;
        let (Some(server), Some(gate), Some(worker)) = (server, gate, worker) else {
            return Err(Failure::usage("the settings are not complete", ""));
        };
        Ok(Settings {
            server,
            gate,
            worker,
        })
    }
}

// === impl Settings ===

impl Settings {
    /// Serves a processor by these settings until SIGTERM or Ctrl-C, over Cloud Storage or the emulator that
    /// `STORAGE_EMULATOR_HOST` names.
    pub async fn serve<P: Processor>(self, processor: P) -> Result<(), Failure> {
        let shutdown = shutdown::signal();
        let (worker, gate, address) = (self.worker, self.gate, self.server.address);
        let listener = server::bind(address).await?;
        // Port 0 means any free port.
        let address = listener.local_addr().unwrap_or(address);
        tracing::info!(%address, exec = worker.exec.is_some(), "serving the worker");
        // Connecting is by far the largest future here; boxed, it keeps the others small.
        let store = Box::pin(async {
            let settings = GcsSettings::from_env(|name| std::env::var(name).ok());
            let store = GcsStore::connect(settings).await;
            Ok(Arc::new(store.map_err(|error| storage_failure(&error))?) as Arc<dyn Store>)
        });
        serve_with(listener, processor, &worker, gate, store, shutdown).await
    }
}

fn storage_failure(error: &gcs::ConnectError) -> Failure {
    match error {
        gcs::ConnectError::Credentials(_) => Failure::permission(error, ""),
        gcs::ConnectError::Endpoint { .. } => Failure::usage(error, ""),
        gcs::ConnectError::TimedOut => Failure::unavailable(error, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback() -> Args {
        let mut args = Args::default();
        args.guard.auth = Some("off".into());
        args.server.bind = Some("127.0.0.1".into());
        args
    }

    #[test]
    fn a_processor_runs_no_program_and_says_which_setting_asks_for_one() {
        let mut args = loopback();
        args.worker.exec = Some("true".into());
        let failure = resolve_for_processor(&args, Problems::default()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("BRIGADE_EXEC"), "{failure}");
        args.worker.exec = Some(String::new());
        assert!(resolve_for_processor(&args, Problems::default()).is_ok());
    }

    #[test]
    fn every_wrong_setting_of_a_worker_is_said_at_once() {
        let mut args = loopback();
        args.server.bind = Some("0.0.0.0".into());
        args.worker.concurrency = Some("none".into());
        let failure = resolve_for_processor(&args, Problems::default()).unwrap_err();
        for setting in ["BRIGADE_AUTH", "BRIGADE_CONCURRENCY"] {
            assert!(failure.message.contains(setting), "{failure}");
        }
    }
}
