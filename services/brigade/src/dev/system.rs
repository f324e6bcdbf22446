//! The parts of the system, wired as they are deployed.

use std::{fs, net::Ipv4Addr, path::Path, str::FromStr as _, sync::Arc};

use brigade_client::{
    PollerClient,
    identity::{Cached, origin as origin_of},
};
use brigade_emulator::{
    Emulator,
    frontend::{FrontEnd, Service},
};
use brigade_proto::v1::PollResponse;
use brigade_runtime::{
    exit::Failure,
    guard::{FRONT_END_PROBE, GuardSettings, Mode},
    serve,
    settings::names,
};
use brigade_storage::Location;
use brigade_worker::{exec::Program, settings::WorkerSettings};
use tokio::{net::TcpListener, sync::broadcast, task::JoinSet};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    Args, samples,
    settings::{PROGRAM_TIMEOUT, guard, metadata, poller_settings, storage},
};
use crate::{AuthConfig, outcome, poller, setup, worker};

/// The bucket that the directory stands for.
pub(super) const BUCKET: &str = "brigade-dev";
/// Where the worker's outputs go.
const OUTPUT: &str = "features/";
const FOLDERS: [&str; 4] = ["incoming", "processed", "failed", "features"];
const POLLER: &str = "poller@brigade-dev.iam.gserviceaccount.com";
pub(super) const SCHEDULER: &str = "scheduler@brigade-dev.iam.gserviceaccount.com";
pub(super) const PUBSUB: &str = "pubsub@brigade-dev.iam.gserviceaccount.com";
const DEVELOPER: &str = "developer@brigade-dev.iam.gserviceaccount.com";
/// Who may call the worker: its front end asks for `run.invoker`, and its guard asks again.
const WORKER_CALLERS: [&str; 2] = [POLLER, DEVELOPER];
/// Events that the table may be behind.
const BEHIND: usize = 4096;

/// Everything that runs.
#[derive(Debug)]
pub(super) struct System {
    pub(super) emulator: Emulator,
    pub(super) poller: Url,
    pub(super) client: PollerClient,
    pub(super) events: broadcast::Sender<PollResponse>,
    pub(super) worker: Url,
    pub(super) laid: usize,
    fronts: Vec<FrontEnd>,
    stop: CancellationToken,
    services: JoinSet<Result<(), Failure>>,
}

impl System {
    pub(super) async fn start(args: &Args, shutdown: CancellationToken) -> Result<Self, Failure> {
        let exec = args.exec.as_deref().map(program).transpose()?;
        let [poller_at, worker_at, emulator_at] = ports(args)?;
        let (poller_at, emulator_at) = (poller_at.bind().await?, emulator_at.bind().await?);
        let laid = lay_out(&args.data, args.no_samples)?;
        let emulator = Emulator::builder()
            .directory(BUCKET, &args.data)
            // The first one is the machine's own: whoever asks the metadata server without a name is the developer.
            .service_account(DEVELOPER)
            .service_account(POLLER)
            .service_account(SCHEDULER)
            .service_account(PUBSUB)
            .start(emulator_at)
            .await
            .map_err(|error| outcome::emulator(&error))?;
        let poller = origin(&poller_at)?;
        let callers = [SCHEDULER, PUBSUB, DEVELOPER];
        let (poller_at, front) = behind(&emulator, "poller", poller_at, &callers).await?;
        let mut fronts = vec![front];
        let timeout = args.timeout.unwrap_or(PROGRAM_TIMEOUT);
        let (events, _) = broadcast::channel(BEHIND);
        // The services end after what watches them, and with it on a signal.
        let stop = shutdown.child_token();
        let store = setup::connect(storage(&emulator)).await?;
        let mut services = JoinSet::new();
        let worker = if let Some(elsewhere) = &args.worker {
            elsewhere.clone()
        } else {
            let (listener, front) = behind(
                &emulator,
                "worker",
                worker_at.bind().await?,
                &WORKER_CALLERS,
            )
            .await?;
            let url = front.url();
            fronts.push(front);
            let settings = WorkerSettings {
                exec,
                output: Some(Location::new(BUCKET, OUTPUT)),
                timeout,
                ..WorkerSettings::default()
            };
            let guard = guard(&emulator, &url, &WORKER_CALLERS)?;
            let (store, stop) = (store.clone(), stop.clone());
            services
                .spawn(async move { worker::serve(listener, &settings, guard, store, stop).await });
            url
        };
        services.spawn({
            let settings = poller_settings(&worker, timeout, args.push)?;
            // Its callers send one `authorization` header, whose signature the front end checks and takes out.
            let gate = AuthConfig {
                guard: GuardSettings {
                    mode: Mode::Platform,
                    ..guard(&emulator, &poller, &callers)?
                },
                public_url: Some(poller.clone()),
            };
            let outside = poller::Dependencies {
                store,
                identity: Arc::new(Cached::new(metadata(&emulator, POLLER))),
                observer: Some(events.clone()),
            };
            let stop = stop.clone();
            async move { poller::serve(poller_at, &settings, gate, outside, stop).await }
        });
        let identity = Arc::new(Cached::new(metadata(&emulator, DEVELOPER)));
        let client = PollerClient::new(&poller, Some(identity), None)
            .map_err(|error| outcome::connect(&error))?;
        Ok(Self {
            emulator,
            poller,
            client,
            events,
            worker,
            laid,
            fronts,
            stop,
            services,
        })
    }

    /// What a worker that runs elsewhere has to be told to work here: the variables and their values.
    pub(super) fn worker_environment(&self) -> Vec<(String, String)> {
        let mut variables: Vec<_> = self
            .emulator
            .env()
            .into_iter()
            .filter(|(name, _)| name.starts_with("STORAGE_") || name.starts_with("BRIGADE_"))
            .collect();
        let port = self.worker.port_or_known_default().unwrap_or_default();
        for (name, value) in [
            (names::AUDIENCE, origin_of(&self.worker)),
            (names::ALLOWED_CALLERS, WORKER_CALLERS.join(",")),
            (names::OUTPUT, format!("gs://{BUCKET}/{OUTPUT}")),
            (names::BIND, Ipv4Addr::LOCALHOST.to_string()),
            (names::PORT, port.to_string()),
        ] {
            variables.push((name.to_owned(), value));
        }
        variables
    }

    /// Ends everything; what is in flight settles first.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while self.services.join_next().await.is_some() {}
        for front in self.fronts {
            front.stop().await;
        }
        self.emulator.stop().await;
    }
}

fn program(given: &str) -> Result<Program, Failure> {
    Program::from_str(given)
        .map_err(|error| Failure::usage(format!("--exec {given:?}: {error}"), ""))
}

/// A port of this machine alone.
#[derive(Clone, Copy)]
struct Port(u16);

impl Port {
    async fn bind(self) -> Result<TcpListener, Failure> {
        serve::bind((Ipv4Addr::LOCALHOST, self.0).into()).await
    }
}

/// The three ports in a row, or any with `--once`, so that two runs never meet. The worker's is left free when it runs
/// elsewhere.
fn ports(args: &Args) -> Result<[Port; 3], Failure> {
    let first = args.port.unwrap_or(if args.once { 0 } else { 8080 });
    let port = |n: u16| match first {
        0 => Ok(Port(0)),
        first => first.checked_add(n).map(Port).ok_or_else(|| {
            Failure::usage(
                format!("--port {first} leaves no room for three ports"),
                "choose one below 65534",
            )
        }),
    };
    Ok([port(0)?, port(1)?, port(2)?])
}

/// Makes the folders, and lays the samples into a directory that is new.
fn lay_out(data: &Path, no_samples: bool) -> Result<usize, Failure> {
    let is_new = !data.exists();
    let failed = |error: std::io::Error| {
        let hint = "choose a directory that you can write to, with --data";
        Failure::usage(
            format!("cannot use the directory {}: {error}", data.display()),
            hint,
        )
    };
    for folder in FOLDERS {
        fs::create_dir_all(data.join(folder)).map_err(failed)?;
    }
    if is_new && !no_samples {
        return samples::lay(&data.join("incoming")).map_err(failed);
    }
    Ok(0)
}

/// Puts a front end on a service's own listener, as Cloud Run does; what comes back is the container's.
async fn behind(
    emulator: &Emulator,
    name: &str,
    listener: TcpListener,
    invokers: &[&str],
) -> Result<(TcpListener, FrontEnd), Failure> {
    let container = serve::bind((Ipv4Addr::LOCALHOST, 0).into()).await?;
    let target = container
        .local_addr()
        .map_err(|error| Failure::unavailable(error, ""))?;
    let service = invokers.iter().fold(
        Service::new(name, target).probe(FRONT_END_PROBE),
        |service, account| service.invoker(account),
    );
    let front = emulator
        .front_end(listener, &service)
        .map_err(|error| outcome::emulator(&error))?;
    Ok((container, front))
}

fn origin(listener: &TcpListener) -> Result<Url, Failure> {
    let address = listener
        .local_addr()
        .map_err(|error| Failure::unavailable(error, ""))?;
    Url::parse(&format!("http://{address}")).map_err(|error| Failure::unavailable(error, ""))
}
