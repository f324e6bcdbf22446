//! Serves a processor: one call from an empty `main` to a worker as it is deployed.

use std::{io::Write as _, process::ExitCode, sync::Arc};

use brigade_runtime::{
    exit::{Exit, Failure, explain},
    export::Telemetry,
    proxy::missing_no_proxy,
    serve::{self as server, Limits},
    service::{AuthConfig, Service},
    shutdown,
    telemetry::{self, Format},
};
use brigade_storage::{
    Store,
    gcs::{self, GcsSettings, GcsStore},
};
use futures::future::{FutureExt as _, join};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

pub use crate::args::{Args, Settings};
use crate::{
    output::Cleanups, processor::Processor, routes::routes_with_shutdown, settings::WorkerSettings,
};

/// The name under which reflection and health know a worker.
const SERVICE: &str = "brigade.v1.WorkerService";

/// Serves a processor until SIGTERM or Ctrl-C, by the flags of the command line and the environment; for `main`:
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
/// `BRIGADE_CONCURRENCY` objects at once, and logs on stderr; `--help` lists the settings, and `--version` has the version of this
/// crate. A wrong setting is reported before anything starts; the exit code is that of `sysexits(3)`. On SIGTERM the objects in
/// flight have 9 s to end.
///
/// A program that has flags of its own calls [`serve_with_args`].
pub async fn serve<P: Processor>(processor: P) -> ExitCode {
    match Args::of_command_line() {
        Ok(args) => serve_with_args(processor, &args).await,
        Err(error) => explain(&error).into(),
    }
}

/// The same with arguments that the program has parsed itself:
///
/// ```no_run
/// # use brigade_worker::{Job, Outcome, ProcessError, Processor};
/// # struct Lines(usize);
/// # impl Processor for Lines {
/// #     type Error = ProcessError;
/// #     async fn process(&self, _: &Job) -> Result<Outcome, ProcessError> {
/// #         Ok(Outcome::default())
/// #     }
/// # }
/// use clap::Parser as _;
///
/// #[derive(clap::Parser)]
/// #[command(version)]
/// struct Cli {
///     #[command(flatten)]
///     worker: brigade_worker::serve::Args,
///     /// The most lines that a file may have
///     #[arg(long)]
///     most: usize,
/// }
///
/// #[tokio::main]
/// async fn main() -> std::process::ExitCode {
///     let cli = Cli::parse();
///     brigade_worker::serve_with_args(Lines(cli.most), &cli.worker).await
/// }
/// ```
///
/// A program that reads its command line without clap gets them by [`Args::from_env`].
pub async fn serve_with_args<P: Processor>(processor: P, args: &Args) -> ExitCode {
    telemetry::init(Format::for_stderr(), "info");
    if let Some(no_proxy) = missing_no_proxy(|name| std::env::var(name).ok()) {
        tracing::warn!(
            "calls to this machine and to the metadata server may go through a proxy; fix: set NO_PROXY to {no_proxy}"
        );
    }
    let served = async { args.resolve_for_processor()?.serve(processor).await };
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
/// [`Limits`] to end.
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
    let (processor, removing) = (Arc::new(processor), cleanups.clone());
    let serving = Arc::clone(&processor);
    let routes = async {
        let store = store.await?;
        serving.ready().await;
        Ok(routes_with_shutdown(serving, store, settings, stop, removing))
    };
    let service = Service::new(SERVICE, gate).routes(routes);
    let asked = tokio::spawn(shutdown.clone().cancelled_owned().map(|()| Instant::now()));
    let served = service.serve(listener, shutdown).await;
    let spent = asked.now_or_never().and_then(Result::ok).map(|asked| asked.elapsed());
    let grace = Limits::default().grace.saturating_sub(spent.unwrap_or_default());
    join(processor.close(grace), cleanups.wait()).await;
    served
}

// === impl Settings ===

impl Settings {
    /// Serves a processor by these settings until SIGTERM or Ctrl-C, over Cloud Storage or the emulator that
    /// `STORAGE_EMULATOR_HOST` names.
    pub async fn serve<P: Processor>(self, processor: P) -> Result<(), Failure> {
        self.serve_started(|| processor).await
    }

    /// The same with a processor that is observed from its start on: telemetry is there before it.
    pub async fn serve_started<P: Processor>(
        self,
        start: impl FnOnce() -> P,
    ) -> Result<(), Failure> {
        let shutdown = shutdown::signal();
        let (worker, gate, address) = (self.worker, self.gate, self.address);
        let telemetry = Telemetry::start(self.telemetry, "bucket-brigade-worker").await?;
        let processor = start();
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
        let served = serve_with(listener, processor, &worker, gate, store, shutdown).await;
        telemetry.shutdown().await;
        served
    }
}

fn storage_failure(error: &gcs::ConnectError) -> Failure {
    match error {
        gcs::ConnectError::Credentials(_) => Failure::permission(error, ""),
        gcs::ConnectError::Endpoint { .. } => Failure::usage(error, ""),
        gcs::ConnectError::TimedOut => Failure::unavailable(error, ""),
    }
}
