//! Saturated unary calls over h2c on loopback, with the guard and without it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::Router;
use brigade_proto::v1::{
    ProcessRequest, ProcessResponse,
    worker_service_client::WorkerServiceClient,
    worker_service_server::{WorkerService, WorkerServiceServer},
};
use brigade_runtime::{
    app::{self, MAX_BODY},
    guard::Guard,
    health, reflection,
    serve::{self, Limits},
};
use http::HeaderMap;
use tokio::{net::TcpListener, runtime::Runtime, task::JoinSet};
use tonic::{
    Request, Response, Status,
    metadata::MetadataMap,
    service::Routes,
    transport::{Channel, Endpoint},
};

use tower_http::limit::RequestBodyLimitLayer;

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
    let guard = runtime.block_on(google.guard());
    let guarded = runtime.block_on(connected(Some(guard)));
    let bare = runtime.block_on(connected(None));
    let pair = paired(
        scale.rounds,
        || runtime.block_on(round(&guarded, &headers, scale.window)),
        || runtime.block_on(round(&bare, &headers, scale.window)),
    );
    let (with, without) = pair.medians();
    println!("unary calls over h2c: {with:.0} a second with the guard, {without:.0} without it");
    let ratio = pair.ratio();
    Figure {
        what: "saturated unary throughput, to the server without the guard",
        measured: format!("{ratio:.3} of {without:.0} a second"),
        goal: "≥ 0.97",
        met: ratio >= 0.97,
    }
}

/// The service as it assembles itself, or the same without the guard.
async fn assembled(guard: Option<Arc<Guard>>) -> Router {
    let routes = Routes::new(WorkerServiceServer::new(Done)).into_axum_router();
    let reflection = reflection::routes(brigade_proto::FILE_DESCRIPTOR_SET).unwrap();
    let health = health::routes(&["brigade.v1.WorkerService"]).await;
    match guard {
        Some(guard) => app::assemble(routes, reflection, health, guard),
        None => routes
            .reset_fallback()
            .merge(reflection.reset_fallback())
            .layer(RequestBodyLimitLayer::new(MAX_BODY))
            .merge(health.open),
    }
}

/// Serves it, and opens connections to it.
async fn connected(guard: Option<Arc<Guard>>) -> Vec<Channel> {
    let routes = assembled(guard).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve::serve(
        listener,
        routes,
        Limits::default(),
        std::future::pending(),
    ));
    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS {
        let endpoint = Endpoint::from_shared(url.clone())
            .unwrap()
            .tcp_nodelay(true);
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
