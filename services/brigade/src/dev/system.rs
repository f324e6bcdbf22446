//! The parts of the system, wired as they are deployed.

use std::{fs, net::Ipv4Addr, path::Path, str::FromStr as _, sync::Arc, time::Duration};

use brigade_client::{
    PollerClient,
    identity::{Cached, MetadataServer},
};
use brigade_emulator::{
    Emulator,
    frontend::{FrontEnd, Service},
    identity::ISSUER,
};
use brigade_poller::{poll::Budgets, settings::PollerSettings};
use brigade_proto::v1::PollResponse;
use brigade_runtime::{
    exit::Failure,
    guard::{GuardSettings, Mode},
    serve,
    settings::names,
};
use brigade_storage::{Location, gcs::GcsSettings};
use brigade_worker::{exec::Program, settings::WorkerSettings};
use tokio::{net::TcpListener, sync::broadcast, task::JoinSet};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Args, samples, show::Show};
use crate::{Gate, outcome, poller, setup, worker};

/// The bucket that the directory stands for.
const BUCKET: &str = "brigade-dev";
const FOLDERS: [&str; 4] = ["incoming", "processed", "failed", "features"];
const POLLER: &str = "poller@brigade-dev.iam.gserviceaccount.com";
pub(super) const SCHEDULER: &str = "scheduler@brigade-dev.iam.gserviceaccount.com";
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
    front: FrontEnd,
    worker: FrontEnd,
    laid: usize,
    stop: CancellationToken,
    services: JoinSet<Result<(), Failure>>,
}

impl System {
    pub(super) async fn start(args: &Args, shutdown: CancellationToken) -> Result<Self, Failure> {
        let exec = args.exec.as_deref().map(program).transpose()?;
        let [poller_at, worker_at, emulator_at] = listeners(args).await?;
        let laid = lay_out(&args.data, args.no_samples)?;
        let emulator = Emulator::builder()
            .directory(BUCKET, &args.data)
            .service_account(POLLER)
            .service_account(SCHEDULER)
            .service_account(DEVELOPER)
            .start(emulator_at)
            .await
            .map_err(|error| outcome::emulator(&error))?;
        let poller = origin(&poller_at)?;
        let callers = [SCHEDULER, DEVELOPER];
        let (poller_at, front) = behind(&emulator, "poller", poller_at, &callers).await?;
        let (worker_at, worker) = behind(&emulator, "worker", worker_at, &WORKER_CALLERS).await?;
        let (events, _) = broadcast::channel(BEHIND);
        // The services end after what watches them, and with it on a signal.
        let stop = shutdown.child_token();
        let store = setup::connect(storage(&emulator)).await?;
        let mut services = JoinSet::new();
        services.spawn({
            let settings = WorkerSettings {
                exec,
                output: Some(Location::new(BUCKET, "features/")),
                ..WorkerSettings::default()
            };
            let guard = guard(&emulator, &worker.url(), &WORKER_CALLERS)?;
            let (store, stop) = (store.clone(), stop.clone());
            async move { worker::serve(worker_at, &settings, guard, store, stop).await }
        });
        services.spawn({
            let settings = poller_settings(&worker.url());
            // Its callers send one `authorization` header, whose signature the front end checks and takes out.
            let gate = Gate {
                guard: GuardSettings {
                    mode: Mode::Platform,
                    ..guard(&emulator, &poller, &callers)?
                },
                public_url: Some(poller.clone()),
            };
            let outside = poller::Outside {
                store,
                identity: Arc::new(Cached::new(metadata(&emulator, None))),
                observer: Some(events.clone()),
            };
            let stop = stop.clone();
            async move { poller::serve(poller_at, &settings, gate, outside, stop).await }
        });
        let identity = Arc::new(Cached::new(metadata(&emulator, Some(DEVELOPER))));
        let client = PollerClient::new(&poller, Some(identity), None)
            .map_err(|error| outcome::connect(&error))?;
        Ok(Self {
            emulator,
            poller,
            client,
            events,
            front,
            worker,
            laid,
            stop,
            services,
        })
    }

    /// Says where things are, and how to reach them.
    pub(super) fn introduce(&self, args: &Args, show: Show) {
        if let Show::Table { .. } = show {
            let data = args.data.display();
            let samples = if self.laid > 0 {
                format!("  ({} sample files)", self.laid)
            } else {
                String::new()
            };
            print_lines(&[
                "Bucket Brigade on this machine".to_owned(),
                String::new(),
                format!("  inbox      {data}/incoming/{samples}"),
                format!("  outcomes   {data}/processed/  {data}/failed/  {data}/features/"),
                format!("  poller     {}", self.poller),
                format!("  worker     {}", self.worker.url()),
                format!(
                    "  stand-in   {}  for Cloud Storage and its identities",
                    self.emulator.url()
                ),
                String::new(),
            ]);
            if !args.once {
                self.invite();
            }
        }
    }

    fn invite(&self) {
        let (metadata, poller) = (self.emulator.url(), &self.poller);
        let audience = poller.as_str().trim_end_matches('/');
        let host = poller.authority();
        print_lines(&[
            "Drop a file into the inbox, or try:".to_owned(),
            String::new(),
            format!(
                "  TOKEN=$(curl -s -H 'Metadata-Flavor: Google' '{metadata}computeMetadata/v1/instance/service-accounts/{DEVELOPER}/identity?audience={audience}&format=full')"
            ),
            format!("  grpcurl -plaintext -H \"authorization: Bearer $TOKEN\" {host} list"),
            format!(
                "  grpcurl -plaintext -H \"authorization: Bearer $TOKEN\" {host} brigade.v1.PollerService/Poll"
            ),
            format!("  curl -X POST -H \"authorization: Bearer $TOKEN\" {audience}/poll"),
            String::new(),
            "Ctrl-C ends it.".to_owned(),
            String::new(),
        ]);
    }

    /// Ends everything; what is in flight settles first.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while self.services.join_next().await.is_some() {}
        self.front.stop().await;
        self.worker.stop().await;
        self.emulator.stop().await;
    }
}

fn print_lines(lines: &[String]) {
    use std::io::Write as _;
    // A terminal that went away needs no lines.
    let _ = writeln!(std::io::stdout(), "{}", lines.join("\n"));
}

fn program(given: &str) -> Result<Program, Failure> {
    Program::from_str(given)
        .map_err(|error| Failure::usage(format!("--exec {given:?}: {error}"), ""))
}

/// The three ports in a row, or any with `--once`, so that two runs never meet.
async fn listeners(args: &Args) -> Result<[TcpListener; 3], Failure> {
    let first = args.port.unwrap_or(if args.once { 0 } else { 8080 });
    let port = |n: u16| match first {
        0 => Ok(0),
        first => first.checked_add(n).ok_or_else(|| {
            Failure::usage(
                format!("--port {first} leaves no room for three ports"),
                "choose one below 65534",
            )
        }),
    };
    let bind = async |n| serve::bind((Ipv4Addr::LOCALHOST, port(n)?).into()).await;
    Ok([bind(0).await?, bind(1).await?, bind(2).await?])
}

/// Makes the folders, and lays the samples into a directory that is new.
fn lay_out(data: &Path, no_samples: bool) -> Result<usize, Failure> {
    let is_new = !data.exists();
    let failed = |error: std::io::Error| {
        let mend = "choose a directory that you can write to, with --data";
        Failure::usage(
            format!("cannot use the directory {}: {error}", data.display()),
            mend,
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
    let service = invokers
        .iter()
        .fold(Service::new(name, target), |service, account| {
            service.invoker(account)
        });
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

fn storage(emulator: &Emulator) -> GcsSettings {
    let endpoint = Some(emulator.url().to_string().trim_end_matches('/').to_owned());
    GcsSettings {
        grpc_endpoint: endpoint.clone(),
        json_endpoint: endpoint,
        anonymous: true,
    }
}

fn metadata(emulator: &Emulator, account: Option<&str>) -> MetadataServer {
    let server = MetadataServer::new(Some(emulator.url().authority()));
    match account {
        Some(account) => server.for_account(account),
        None => server,
    }
}

fn guard(emulator: &Emulator, service: &Url, callers: &[&str]) -> Result<GuardSettings, Failure> {
    let jwks_url = jwks_url(emulator)?;
    Ok(GuardSettings {
        mode: Mode::Verify,
        audiences: vec![brigade_client::identity::origin(service)],
        allowed_callers: callers.iter().map(|caller| (*caller).to_owned()).collect(),
        issuers: vec![ISSUER.to_owned()],
        jwks_url,
    })
}

/// The same address that the stand-in gives to any other program.
fn jwks_url(emulator: &Emulator) -> Result<Url, Failure> {
    let variables = emulator.env();
    let given = variables
        .iter()
        .find(|(name, _)| name == names::JWKS_URL)
        .map_or("", |(_, url)| url);
    Url::parse(given)
        .map_err(|error| Failure::unavailable(format!("the stand-in's keys: {error}"), ""))
}

fn poller_settings(worker: &Url) -> PollerSettings {
    let ten_minutes = Duration::from_secs(600);
    PollerSettings {
        inbox: Location::new(BUCKET, "incoming/"),
        processed: Location::new(BUCKET, "processed/"),
        failed: Location::new(BUCKET, "failed/"),
        worker_url: worker.clone(),
        worker_audience: None,
        budgets: Budgets {
            concurrency: 32,
            process_timeout: ten_minutes,
            poll_deadline: ten_minutes,
            max_attempts: 5,
            breaker: 5,
            max_objects: None,
        },
        min_age: Duration::ZERO,
        matching: None,
    }
}
