//! The parts of the system, wired as they are deployed.

use std::{net::Ipv4Addr, path::Path, sync::Arc, time::Duration};

use brigade_client::{InboxClient, PollerClient, identity::origin};
use brigade_emulator::{
    Emulator,
    frontend::{FrontEnd, Service},
};
use brigade_poller::inbox::access::rights;
use brigade_proto::v1::PollResponse;
use brigade_runtime::{
    exit::Failure,
    guard::{FRONT_END_PROBE, GuardSettings, Mode},
    settings::names,
};
use tokio::{net::TcpListener, sync::broadcast, task::JoinSet};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    Args,
    announce::{Announcement, Running},
    brake::Watched,
    page, process, samples,
    settings::{
        BUCKET, DEVELOPER, OUTPUT, POLLER, POLLER_CALLERS, PUBSUB, SCHEDULER, Settings,
        WORKER_CALLERS, guard, identity, storage,
    },
};
use crate::{
    AuthConfig,
    outcome::failure,
    poller,
    setup::{self, bind_loopback},
    ui, worker,
};

/// Events that the table may fall behind.
const EVENTS_BUFFER: usize = 4096;

/// Everything that runs.
#[derive(Debug)]
pub(super) struct System {
    pub(super) emulator: Emulator,
    pub(super) poller: Url,
    pub(super) client: PollerClient,
    pub(super) inbox: InboxClient,
    pub(super) events: broadcast::Sender<PollResponse>,
    pub(super) worker: Url,
    /// The address that opens the page; it works once.
    pub(super) page: Option<Url>,
    /// How long a poll may take.
    pub(super) poll_deadline: Duration,
    /// What lifts the inbox's brake when it changes.
    pub(super) watched: Watched,
    /// How many sample files were written.
    pub(super) samples: usize,
    front_ends: Vec<FrontEnd>,
    stop: CancellationToken,
    services: JoinSet<Result<(), Failure>>,
}

impl System {
    pub(super) async fn start(
        args: &Args,
        settings: Settings,
        shutdown: CancellationToken,
    ) -> Result<Self, Failure> {
        let Settings { poller: mut settings, worker: worker_settings } = settings;
        let watched = Watched::new(&args.data, worker_settings.exec.as_ref(), &settings.config);
        let [poller_port, worker_port, emulator_port, page_port] = ports(args)?;
        let poller_listener = bind_loopback(poller_port).await?;
        let emulator_listener = bind_loopback(emulator_port).await?;
        let page_listener = if args.once { None } else { Some(bind_loopback(page_port).await?) };
        let samples = samples::prepare(&args.data, args.no_samples).map_err(|error| {
            Failure::usage(
                format!("cannot use the directory {}: {error}", args.data.display()),
                "choose a directory that you can write to, with --data",
            )
        })?;
        let emulator = Emulator::builder()
            .directory(BUCKET, &args.data)
            .rest(args.rest)
            // The first is the machine's own account: the metadata server's for a request that names none.
            .service_account(DEVELOPER)
            .service_account(POLLER)
            .service_account(SCHEDULER)
            .service_account(PUBSUB)
            .start(emulator_listener);
        let emulator = emulator.await.map_err(failure)?;
        let (container, front_end) =
            put_behind(&emulator, "poller", poller_listener, &POLLER_CALLERS).await?;
        let poller = front_end.url();
        let mut front_ends = vec![front_end];
        let (events, _) = broadcast::channel(EVENTS_BUFFER);
        // The services end after the table that shows their events, and with it on a signal.
        let stop = shutdown.child_token();
        let store = setup::connect(storage(&emulator)).await?;
        let mut services = JoinSet::new();
        let worker = if let Some(elsewhere) = &args.worker {
            elsewhere.clone()
        } else {
            let listener = bind_loopback(worker_port).await?;
            let (container, front_end) =
                put_behind(&emulator, "worker", listener, &WORKER_CALLERS).await?;
            let url = front_end.url();
            front_ends.push(front_end);
            let guard = guard(&emulator, Mode::Verify, &url, &WORKER_CALLERS)?;
            let (store, stop) = (store.clone(), stop.clone());
            services.spawn(async move {
                worker::serve(container, &worker_settings, guard, store, stop).await
            });
            url
        };
        settings.worker_url.clone_from(&worker);
        let poll_deadline = settings.config.budgets.poll_deadline;
        // Its callers send one `authorization` header. The front end checks its signature and removes it.
        let guard = GuardSettings {
            rights: rights(vec![DEVELOPER.to_owned()], vec![DEVELOPER.to_owned()]),
            ..guard(&emulator, Mode::Platform, &poller, &POLLER_CALLERS)?
        };
        let auth = AuthConfig { public_url: Some(poller.clone()), ..guard.into() };
        let dependencies = std::future::ready(Ok(poller::Dependencies {
            store: store.clone(),
            identity: Arc::new(identity(&emulator, POLLER)),
            observer: Some(events.clone()),
            process: process::this(),
        }));
        let stop_poller = stop.clone();
        services.spawn(async move {
            poller::serve(container, &settings, auth, dependencies, stop_poller).await
        });
        let developer = Arc::new(identity(&emulator, DEVELOPER));
        let client = PollerClient::new(&poller, Some(developer.clone()), None).map_err(failure)?;
        let inbox = InboxClient::new(&poller, Some(developer), None).map_err(failure)?;
        let mut page = None;
        if let Some(listener) = page_listener {
            let served = page::new(listener, inbox.clone(), client.clone(), store, &args.data)?;
            page = Url::parse(&served.url()).ok();
            let stop = stop.clone();
            services.spawn(async move { ui::serve(served, stop).await });
        }
        Ok(Self {
            emulator,
            poller,
            client,
            inbox,
            events,
            worker,
            page,
            poll_deadline,
            watched,
            samples,
            front_ends,
            stop,
            services,
        })
    }

    /// Lets other commands of this user find it while the result is kept.
    pub(super) fn announce(&self, data: &Path) -> Option<Announcement> {
        let running = Running {
            poller: self.poller.clone(),
            metadata_host: self.emulator.url().authority().to_owned(),
            account: DEVELOPER.to_owned(),
            data: std::path::absolute(data).unwrap_or_else(|_| data.to_owned()),
            page: self.page.clone(),
        };
        let announced = running.announce();
        let report = |error: &std::io::Error| {
            tracing::warn!(
                error = %error,
                "other commands cannot find this brigade dev; fix: set XDG_RUNTIME_DIR to a directory of your own"
            );
        };
        announced.inspect_err(report).ok()
    }

    /// The variables that a worker elsewhere needs to work here, and their values.
    pub(super) fn worker_environment(&self) -> Vec<(String, String)> {
        let mut variables = self.emulator.env();
        variables.retain(|(name, _)| name.starts_with("STORAGE_") || name.starts_with("BRIGADE_"));
        let port = self.worker.port_or_known_default().unwrap_or_default();
        let own = [
            (names::AUDIENCE, origin(&self.worker)),
            (names::ALLOWED_CALLERS, WORKER_CALLERS.join(",")),
            (names::OUTPUT, format!("gs://{BUCKET}/{OUTPUT}")),
            (names::BIND, Ipv4Addr::LOCALHOST.to_string()),
            (names::PORT, port.to_string()),
        ];
        variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
        variables
    }

    /// Ends everything; what is in flight settles first.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while self.services.join_next().await.is_some() {}
        for front_end in self.front_ends {
            front_end.stop().await;
        }
        self.emulator.stop().await;
    }
}

/// Four ports in a row, or any free ones with `--once`, so that two runs never meet. The worker's stays free when it
/// runs elsewhere.
fn ports(args: &Args) -> Result<[u16; 4], Failure> {
    let first = args.port.unwrap_or(if args.once { 0 } else { 8080 });
    match first.checked_add(3) {
        _ if first == 0 => Ok([0; 4]),
        Some(last) => Ok([first, first + 1, first + 2, last]),
        None => Err(Failure::usage(
            format!("--port {first} leaves too few ports; brigade dev takes four in a row"),
            "choose one below 65533",
        )),
    }
}

/// Puts a front end on a service's listener, as Cloud Run does. Returns its container's own listener.
async fn put_behind(
    emulator: &Emulator,
    name: &str,
    listener: TcpListener,
    invokers: &[&str],
) -> Result<(TcpListener, FrontEnd), Failure> {
    let container = bind_loopback(0).await?;
    let target = container.local_addr();
    let target = target.map_err(|error| Failure::unavailable(error, ""))?;
    let service = Service::new(name, target).probe(FRONT_END_PROBE);
    let service = invokers.iter().copied().fold(service, Service::invoker);
    let front_end = emulator.front_end(listener, &service).map_err(failure)?;
    Ok((container, front_end))
}
