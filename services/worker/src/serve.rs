//! Serves a processor: one call from an empty `main` to a worker as it is deployed.

use std::{io::Write as _, net::SocketAddr, process::ExitCode, sync::Arc};

use brigade_runtime::{
    exit::{Exit, Failure},
    guard::GuardArgs,
    serve as server,
    service::{AuthConfig, Service},
    settings::{Problem, Problems, ServerArgs, names, unknown},
    shutdown,
    telemetry::{self, Format},
};
use brigade_storage::{
    Store,
    gcs::{self, GcsSettings, GcsStore},
};
use clap::{CommandFactory as _, Parser as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    output::Cleanups,
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
    let (stop, cleanups) = (shutdown.clone(), Cleanups::default());
    let removing = cleanups.clone();
    let routes = async {
        let store = store.await?;
        Ok(routes_with_shutdown(processor, store, settings, stop, removing))
    };
    let service = Service::new(SERVICE, gate).routes(routes);
    let served = service.serve(listener, shutdown).await;
    cleanups.wait().await;
    served
}

/// All settings of a worker, as given.
#[derive(Clone, Debug, clap::Args)]
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
    pub address: SocketAddr,
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
    if !args.worker.exec.is_blank() {
        let why = "this program is a processor itself and runs no other; unset it";
        problems.conflict(names::EXEC, why);
    }
    args.resolve(problems)
}

/// A variable that looks like a misspelt setting is a problem too. Another may be a setting of the poller beside it.
fn problems() -> Problems {
    let environment = std::env::vars_os().map(|(name, _)| name);
    let unknown = unknown(&EnvArgs::command(), environment).into_iter();
    let mut problems = Problems::default();
    problems.extend(unknown.filter(Problem::is_typo));
    problems
}

// === impl Args ===

impl Args {
    /// Resolves every setting, or names every problem at once, after those that were noted before.
    pub fn resolve(&self, mut problems: Problems) -> Result<Settings, Failure> {
        let address = self.server.resolve(&mut problems);
        let gate = AuthConfig::resolve(&self.guard, address, &mut problems);
        let worker = self.worker.resolve(&mut problems);
        let ((address, gate), worker) = problems.into_settings(address.zip(gate).zip(worker))?;
        Ok(Settings { address, gate, worker })
    }
}

// === impl Settings ===

impl Settings {
    /// Serves a processor by these settings until SIGTERM or Ctrl-C, over Cloud Storage or the emulator that
    /// `STORAGE_EMULATOR_HOST` names.
    pub async fn serve<P: Processor>(self, processor: P) -> Result<(), Failure> {
        let shutdown = shutdown::signal();
        let (worker, gate, address) = (self.worker, self.gate, self.address);
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

    /// Without a guard, and with these flags.
    fn resolve(flags: &[&str]) -> Result<Settings, Failure> {
        let all = [&["worker", "--auth", "off"], flags].concat();
        resolve_for_processor(&EnvArgs::parse_from(all).args, Problems::default())
    }

    #[test]
    fn a_processor_runs_no_program_and_reports_the_setting_that_asks_for_one() {
        let loopback = ["--bind", "127.0.0.1", "--exec"];
        let failure = resolve(&[&loopback[..], &["true"]].concat()).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("BRIGADE_EXEC"), "{failure}");
        assert!(resolve(&[&loopback[..], &[""]].concat()).is_ok());
    }

    #[test]
    fn every_wrong_setting_of_a_worker_is_reported_at_once() {
        let failure = resolve(&["--concurrency", "none"]).unwrap_err();
        for setting in ["BRIGADE_AUTH", "BRIGADE_CONCURRENCY"] {
            assert!(failure.message.contains(setting), "{failure}");
        }
    }
}
