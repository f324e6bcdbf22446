//! `brigade.v1.WorkerService` over a processor.

use std::sync::Arc;

use axum::Router;
use brigade_proto::{
    MAX_MESSAGE,
    v1::{
        ProcessRequest, ProcessResponse,
        worker_service_server::{WorkerService, WorkerServiceServer},
    },
};
use brigade_runtime::deadline;
use tonic::{Request, Response, Status};

use crate::{processor::Processor, runner::Runner};

pub(crate) fn routes<P: Processor>(runner: Arc<Runner<P>>) -> Router {
    let service = WorkerServiceServer::new(Service(runner))
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    tonic::service::Routes::new(service).into_axum_router()
}

struct Service<P>(Arc<Runner<P>>);

#[tonic::async_trait]
impl<P: Processor> WorkerService for Service<P> {
    async fn process(
        &self,
        request: Request<ProcessRequest>,
    ) -> Result<Response<ProcessResponse>, Status> {
        let budget = deadline::from_headers(request.metadata().as_ref());
        let answer = self.0.run(request.into_inner(), budget).await;
        answer.map(Response::new).map_err(|error| Status::from(&*error))
    }
}
