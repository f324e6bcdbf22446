//! The service around a processor: limits, deadline, panics.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use brigade_proto::v1::{ProcessRequest, ProcessResponse, worker_service_server::WorkerService};
use brigade_runtime::deadline;
use brigade_storage::{Store, object::escape};
use futures::FutureExt as _;
use tokio::{sync::Semaphore, time::timeout};
use tonic::{Request, Response, Status};
use tracing::info;

use crate::{
    error::ProcessError, job::Job, output::Output, processor::Processor, settings::WorkerSettings,
};

/// A processor, and what it may use.
#[derive(Debug)]
pub(crate) struct Service<P> {
    processor: P,
    store: Arc<dyn Store>,
    output: Option<Output>,
    room: Semaphore,
}

impl<P: Processor> Service<P> {
    pub(crate) fn new(processor: P, store: Arc<dyn Store>, settings: &WorkerSettings) -> Self {
        let room = Semaphore::new(settings.concurrency);
        Self {
            processor,
            store,
            output: settings.output.clone(),
            room,
        }
    }

    /// Processes one object, and writes one log line about it.
    pub(crate) async fn process(
        &self,
        request: ProcessRequest,
        budget: Option<Duration>,
    ) -> Result<ProcessResponse, ProcessError> {
        let _room = self.room.try_acquire().map_err(|_| ProcessError::busy())?;
        let job = Job::new(request, budget, self.store.clone(), self.output.clone())?;
        let result = self.within(&job, budget).await;
        let uri = job.object().uri();
        let (object, generation) = (escape(&uri), job.object().generation);
        match &result {
            Ok(done) => {
                info!(%object, generation, summary = %escape(&done.summary), "object processed");
            }
            Err(error) => {
                info!(%object, generation, reason = %escape(&error.to_string()), "object not processed");
            }
        }
        result
    }

    async fn within(
        &self,
        job: &Job,
        budget: Option<Duration>,
    ) -> Result<ProcessResponse, ProcessError> {
        let work = AssertUnwindSafe(self.processor.process(job)).catch_unwind();
        let ended = match budget {
            Some(budget) => timeout(budget, work)
                .await
                .map_err(|_| ProcessError::timed_out())?,
            None => work.await,
        };
        match ended {
            Ok(result) => result.map(ProcessResponse::from).map_err(Into::into),
            Err(panic) => Err(ProcessError::internal(format!(
                "the processor panicked: {}",
                said(&*panic)
            ))),
        }
    }
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it said nothing")
}

/// The service behind both protocols.
#[derive(Debug)]
pub(crate) struct Grpc<P>(pub(crate) Arc<Service<P>>);

#[tonic::async_trait]
impl<P: Processor> WorkerService for Grpc<P> {
    async fn process(
        &self,
        request: Request<ProcessRequest>,
    ) -> Result<Response<ProcessResponse>, Status> {
        let budget = deadline::of(request.metadata().as_ref());
        Ok(Response::new(
            self.0.process(request.into_inner(), budget).await?,
        ))
    }
}
