//! The model against real processes: `cargo run --release --example fleet -- real`.
//!
//! Storage is in this process; the real poller and the real worker are processes of their own. What one call of storage and
//! of the worker takes is measured first, one at a time, and is all that the model is told. Then a backlog is settled by one poll,
//! and the model says how long that takes.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    ops::RangeInclusive,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use brigade::poller::Dependencies;
use brigade_client::{PollerClient, WorkerClient};
use brigade_poller::lease::Process;
use brigade_proto::v1::{PollRequest, poll_response::Event};
use brigade_runtime::{
    service::Service,
    telemetry::{self, Format},
};
use brigade_storage::{Bucket, ListRequest, Store as _};
use brigade_worker::settings::WorkerSettings;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    bare::accepted,
    facts::SECOND,
    fleet::run,
    outcome::seconds,
    scenario::{Dispatch, Scenario, Size},
    timeline::Micros,
    waiting::Waiting,
    wiring::{BUCKET, bound, emulator, guard, identity, lay, poller_settings, store},
};

/// How far the model may be off, and up to how many in flight it is judged: it knows no cores, and with more in flight three
/// processes use up those of a small machine.
const BOUND: RangeInclusive<f64> = 0.7..=1.4;
const JUDGED: usize = 4;
const WORK: Duration = Duration::from_millis(20);
const OBJECTS: usize = 2_000;
const ROLE: &str = "--role";

/// A process of a role; it ends with this.
struct Role(Child, Url);

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Plays a role, or compares. Whether the command line asked for either.
pub(crate) fn main() -> bool {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match &*words {
        ["real"] => runtime.block_on(compare()),
        [ROLE, role, emulator, rest @ ..] => {
            let logs = telemetry::subscriber(Format::Json, "info", std::io::sink);
            tracing::subscriber::set_global_default(logs).unwrap();
            let emulator = emulator.parse().unwrap();
            runtime.block_on(async {
                match *role {
                    "worker" => worker(&emulator).await,
                    _ => Box::pin(poller(&emulator, rest[0], rest[1])).await,
                }
            });
        }
        _ => return false,
    }
    true
}

/// A free port, which the parent process is told.
async fn told() -> (TcpListener, Url) {
    let (listener, url) = bound().await;
    println!("{url}");
    std::io::stdout().flush().unwrap();
    (listener, url)
}

async fn worker(emulator: &Url) {
    let (listener, url) = told().await;
    let settings = WorkerSettings { concurrency: Some(1_000), ..WorkerSettings::default() };
    let routes = brigade_worker::routes(Waiting(WORK), store(emulator).await, &settings);
    let service = Service::new("brigade.v1.WorkerService", guard(emulator, &url));
    let service = service.routes(async { Ok(routes) });
    service.serve(listener, CancellationToken::new()).await.unwrap();
}

async fn poller(emulator: &Url, worker: &str, in_flight: &str) {
    let (listener, url) = told().await;
    let settings = poller_settings(&worker.parse().unwrap(), in_flight.parse().unwrap());
    let dependencies = Dependencies {
        store: store(emulator).await,
        identity: identity(emulator),
        observer: None,
        process: Process::default(),
    };
    let guard = guard(emulator, &url);
    let never = CancellationToken::new();
    brigade::poller::serve(listener, &settings, guard, async { Ok(dependencies) }, never)
        .await
        .unwrap();
}

fn start(role: &str, emulator: &Url, rest: &[&str]) -> Role {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([ROLE, role, emulator.as_str()]).args(rest).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Role(child, line.trim().parse().unwrap())
}

async fn compare() {
    let emulator = emulator().await;
    let url = emulator.url();
    let (bucket, identity) = (store(&url).await.bucket(BUCKET), identity(&url));
    let worker = start("worker", &url, &[]);
    let client = WorkerClient::new(&worker.1, Some(identity.clone()), None).unwrap();
    println!("in flight  objects  measured  predicted  ratio");
    let mut is_met = true;
    for in_flight in [1, 4, 8, 16] {
        lay(&emulator, 200);
        let mut scenario = calibrated(&*bucket, &client).await;
        scenario.in_flight = in_flight;
        scenario.backlog = OBJECTS * in_flight.min(4) / 4;
        let predicted = seconds(run(&scenario).ended);
        lay(&emulator, scenario.backlog);
        let poller = start("poller", &url, &[worker.1.as_str(), &in_flight.to_string()]);
        let poller = (PollerClient::new(&poller.1, Some(identity.clone()), None).unwrap(), poller);
        let began = Instant::now();
        let mut events = poller.0.poll(PollRequest::default()).await.unwrap();
        let mut settled = 0;
        while let Some(response) = events.message().await.unwrap() {
            if let Some(Event::Finished(end)) = response.event {
                settled = end.counts.unwrap().processed;
            }
        }
        let measured = began.elapsed().as_secs_f64();
        assert_eq!(usize::try_from(settled), Ok(scenario.backlog));
        let ratio = measured / predicted;
        is_met &= in_flight > JUDGED || BOUND.contains(&ratio);
        println!("{in_flight:>9} {settled:>8} {measured:>8.2}s {predicted:>9.2}s {ratio:>6.2}");
    }
    assert!(is_met, "the model is off by more than {BOUND:?}");
}

/// What each call takes by itself.
async fn calibrated(bucket: &dyn Bucket, worker: &WorkerClient) -> Scenario {
    let request =
        ListRequest { prefix: "incoming/".into(), page_size: 1_000, ..ListRequest::default() };
    // What is new, a connection and a token, is not counted.
    bucket.list(&request).await.unwrap();
    let began = Instant::now();
    let objects = bucket.list(&request).await.unwrap().objects;
    let list = micros(began.elapsed());
    let ask = |request| worker.process(request, Duration::from_secs(60));
    accepted(&ask, &objects[0]).await;
    let began = Instant::now();
    for object in &objects[..50] {
        accepted(&ask, object).await;
    }
    let call = micros(began.elapsed() / 50).saturating_sub(micros(WORK));
    let began = Instant::now();
    for object in &objects {
        let to = object.name.replace("incoming/", "processed/");
        bucket.rename(object.pinned(), object.metageneration, &to).await.unwrap();
    }
    let storage = micros(began.elapsed()) / objects.len() as u64;
    let one = Size { places: 1_000_000, start: 0, max: 1 };
    Scenario {
        warm_up: 0,
        measured: SECOND,
        // The emulator has no limits.
        writes: 1e9,
        reads: 1e9,
        work: (micros(WORK), micros(WORK)),
        refused: 0.0,
        has_output: false,
        poller: one,
        worker: one,
        storage,
        list,
        call,
        ..Scenario::new(Dispatch::Sweep { every: 60 * SECOND, relist: None }, 0.0)
    }
}

fn micros(time: Duration) -> Micros {
    u64::try_from(time.as_micros()).unwrap()
}
