//! Asks the worker about one object.

mod breaker;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use brigade_client::{HttpWorkerClient, WorkerClient, answer::Answer};
use brigade_proto::v1::ProcessRequest;
use brigade_storage::Object;

pub(crate) use self::breaker::Breaker;
use crate::wire;

/// What processes objects: the worker's client, or a simulated worker.
#[async_trait]
pub trait Worker: fmt::Debug + Send + Sync + 'static {
    /// Asks about one object generation, and gives up after `timeout`.
    async fn process(&self, request: ProcessRequest, timeout: Duration) -> Answer;
}

#[async_trait]
impl Worker for WorkerClient {
    async fn process(&self, request: ProcessRequest, timeout: Duration) -> Answer {
        WorkerClient::process(self, request, timeout).await
    }
}

#[async_trait]
impl Worker for HttpWorkerClient {
    async fn process(&self, request: ProcessRequest, timeout: Duration) -> Answer {
        HttpWorkerClient::process(self, request, timeout).await
    }
}

/// Asks `worker` about `object`, for the `attempt`th time.
pub(crate) async fn dispatch(
    worker: &dyn Worker,
    object: &Object,
    attempt: u32,
    timeout: Duration,
) -> Answer {
    let object = wire::object(object);
    let request = ProcessRequest {
        idempotency_key: object.idempotency_key(),
        attempt: attempt.try_into().unwrap_or(i32::MAX),
        object: Some(object),
    };
    worker.process(request, timeout).await
}
