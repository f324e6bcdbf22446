//! This program as one of the other processes: a worker, or the bare loop.

use std::{
    env,
    io::{BufRead as _, Write as _, stdin, stdout},
    sync::Arc,
    time::Duration,
};

use brigade_client::{
    HttpWorkerClient, WorkerClient,
    identity::{self, Environment, TokenSource, origin},
};
use brigade_runtime::{
    guard::{GuardSettings, Mode},
    service::Service,
};
use brigade_storage::{
    Store as _,
    gcs::{GcsSettings, GcsStore},
};
use brigade_worker::settings::WorkerSettings;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    bare,
    system::{ACCOUNT, BUCKET},
    waiting::Waiting,
};

pub(crate) const FLAG: &str = "--role";

const BUDGET: Duration = Duration::from_secs(600);

/// Plays the role that the command line names, to its end. Whether it names one.
pub(crate) fn is_role() -> bool {
    let mut arguments = env::args().skip_while(|argument| argument != FLAG).skip(1);
    let Some(role) = arguments.next() else { return false };
    let arguments: Vec<_> = arguments.collect();
    match (&*role, &*arguments) {
        ("worker", [work]) => {
            let runtime = Runtime::new().unwrap();
            runtime.block_on(worker(Duration::from_millis(work.parse().unwrap())));
        }
        ("bare", [protocol, url, in_flight]) => {
            // Where it costs least.
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            bare(&runtime, protocol, &url.parse().unwrap(), in_flight.parse().unwrap());
        }
        _ => panic!("{role} {arguments:?}"),
    }
    true
}

async fn store() -> Arc<GcsStore> {
    let settings = GcsSettings::from_env(|name| env::var(name).ok());
    Arc::new(GcsStore::connect(settings).await.unwrap())
}

/// Serves both protocols behind the guard, until it is ended.
async fn worker(work: Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let guard = GuardSettings {
        mode: Mode::Verify,
        audiences: vec![origin(&url)],
        allowed_callers: vec![ACCOUNT.to_owned()],
        rights: Vec::new(),
        issuers: vec![env::var("BRIGADE_ISSUERS").unwrap()],
        jwks_url: env::var("BRIGADE_JWKS_URL").unwrap().parse().unwrap(),
    };
    let settings = WorkerSettings { concurrency: Some(1_000), ..WorkerSettings::default() };
    let routes = brigade_worker::routes(Waiting(work), store().await, &settings);
    println!("{url}");
    stdout().flush().unwrap();
    let service = Service::new("brigade.v1.WorkerService", guard);
    service.routes(async { Ok(routes) }).serve(listener, CancellationToken::new()).await.unwrap();
}

/// Drains the inbox once for each line that it reads.
fn bare(runtime: &Runtime, protocol: &str, worker: &Url, in_flight: usize) {
    let environment = Environment::from_env().unwrap();
    let identity: Arc<dyn TokenSource> = identity::source(&environment).unwrap();
    let bucket = runtime.block_on(store()).bucket(BUCKET);
    let guard = runtime.enter();
    let grpc = WorkerClient::new(&worker.join("/").unwrap(), Some(identity.clone()), None).unwrap();
    let http = HttpWorkerClient::new(worker, Some(identity), None).unwrap();
    drop(guard);
    let say = |text: &str| {
        println!("{text}");
        stdout().flush().unwrap();
    };
    say("ready");
    let is_grpc = protocol == "grpc";
    for _ in stdin().lock().lines() {
        let (bucket, grpc, http) = (bucket.clone(), grpc.clone(), http.clone());
        let moved = runtime.block_on(async move {
            if is_grpc {
                let ask = async |request| grpc.process(request, BUDGET).await;
                bare::poll(&*bucket, in_flight, ask).await
            } else {
                let ask = async |request| http.process(request, BUDGET).await;
                bare::poll(&*bucket, in_flight, ask).await
            }
        });
        say(&moved.to_string());
    }
}
