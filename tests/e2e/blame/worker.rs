//! A gRPC worker that answers anything about a file, by its name.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use brigade_proto::v1::{
    ProcessRequest, ProcessResponse,
    worker_service_server::{WorkerService, WorkerServiceServer},
};
use brigade_runtime::serve::{Limits, serve};
use tonic::{Request, Response, Status, service::Routes};
use url::Url;

use crate::harness::{loopback, url};

type Answers = dyn Fn(&str) -> Result<ProcessResponse, Status> + Send + Sync;

/// What it answers, and how often it was called about each name.
#[derive(Clone)]
pub(super) struct Worker {
    answers: Arc<Answers>,
    calls: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Worker {
    /// Serves one of these answers; it checks no tokens.
    pub(super) async fn start(
        answers: impl Fn(&str) -> Result<ProcessResponse, Status> + Send + Sync + 'static,
    ) -> (Self, Url) {
        let worker = Self { answers: Arc::new(answers), calls: Arc::default() };
        let routes = Routes::new(WorkerServiceServer::new(worker.clone())).into_axum_router();
        let listener = loopback().await;
        let url = url(&listener);
        tokio::spawn(serve(listener, routes, Limits::default(), std::future::pending()));
        (worker, url)
    }

    /// About all files.
    pub(super) fn calls(&self) -> usize {
        self.calls.lock().unwrap().values().sum()
    }

    pub(super) fn calls_about(&self, name: &str) -> usize {
        self.calls.lock().unwrap().get(name).copied().unwrap_or_default()
    }
}

#[tonic::async_trait]
impl WorkerService for Worker {
    async fn process(
        &self,
        request: Request<ProcessRequest>,
    ) -> Result<Response<ProcessResponse>, Status> {
        let name = request.into_inner().object.unwrap().name;
        let name = name.trim_start_matches("incoming/");
        *self.calls.lock().unwrap().entry(name.to_owned()).or_default() += 1;
        (self.answers)(name).map(Response::new)
    }
}
