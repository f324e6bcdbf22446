//! Saturated unary calls over h2c on loopback, with the guard on and off.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use brigade_proto::v1::{
    ProcessRequest, ProcessResponse,
    worker_service_client::WorkerServiceClient,
    worker_service_server::{WorkerService, WorkerServiceServer},
};
use brigade_runtime::{guard::GuardSettings, service::Service};
use http::HeaderMap;
use tokio::{net::TcpListener, runtime::Runtime, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status,
    metadata::MetadataMap,
    service::Routes,
    transport::{Channel, Endpoint},
};

use crate::{
    Figure,
    google::{AUDIENCE, CALLER, Google, bearer},
    rounds::{Scale, paired},
};

const CONNECTIONS: usize = 4;
/// In flight on each connection.
const CALLS: usize = 16;

/// A worker whose work is done.
struct Done;

#[tonic::async_trait]
impl WorkerService for Done {
    async fn process(
        &self,
        _: Request<ProcessRequest>,
    ) -> Result<Response<ProcessResponse>, Status> {
        Ok(Response::new(ProcessResponse::default()))
    }
}

pub(crate) fn figure(scale: &Scale, runtime: &Runtime, google: &Google) -> Figure {
    let headers = bearer(&google.issuer().mint(CALLER, AUDIENCE));
    let guarded = runtime.block_on(connected(google.guard_settings()));
    let bare = runtime.block_on(connected(GuardSettings::off()));
    let pair = paired(
        scale.rounds,
        || runtime.block_on(round(&guarded, &headers, scale.window)),
        || runtime.block_on(round(&bare, &headers, scale.window)),
    );
    let (with, without) = pair.medians();
    println!("unary calls over h2c: {with:.0} a second with the guard, {without:.0} with it off");
    let ratio = pair.ratio();
    Figure {
        what: "saturated unary throughput, to the server with the guard off",
        measured: format!("{ratio:.3} of {without:.0} a second"),
        goal: "≥ 0.97",
        met: ratio >= 0.97,
    }
}

/// Serves the worker behind this guard, and opens connections to it.
async fn connected(guard: GuardSettings) -> Vec<Channel> {
    let routes = Routes::new(WorkerServiceServer::new(Done)).into_axum_router();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = Service::new("brigade.v1.WorkerService", guard).routes(async { Ok(routes) });
    tokio::spawn(service.serve(listener, CancellationToken::new()));
    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS {
        let endpoint = Endpoint::from_shared(url.clone()).unwrap().tcp_nodelay(true);
        channels.push(endpoint.connect().await.unwrap());
    }
    channels
}

/// Calls a second.
async fn round(channels: &[Channel], headers: &HeaderMap, window: Duration) -> f64 {
    let answered = Arc::new(AtomicU64::new(0));
    let metadata = MetadataMap::from_headers(headers.clone());
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for channel in channels {
        for _ in 0..CALLS {
            let mut client = WorkerServiceClient::new(channel.clone());
            let (answered, metadata) = (answered.clone(), metadata.clone());
            callers.spawn(async move {
                while began.elapsed() < window {
                    let mut request = Request::new(ProcessRequest::default());
                    *request.metadata_mut() = metadata.clone();
                    client.process(request).await.unwrap();
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    }
    callers.join_all().await;
    #[allow(clippy::cast_precision_loss, reason = "no round makes 2^52 calls")]
    let calls = answered.load(Ordering::Relaxed) as f64;
    calls / began.elapsed().as_secs_f64()
}
