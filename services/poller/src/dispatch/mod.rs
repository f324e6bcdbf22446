//! Asks the worker about objects: how many at once, when, and whose fault a failure is.

mod breaker;
mod consecutive;
mod dispatcher;
mod evidence;
mod judge;
mod limit;
mod state;
mod streak;
mod waits;
mod wiring;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use brigade_client::{HttpWorkerClient, WorkerClient, answer::Answer};
use brigade_proto::v1::ProcessRequest;
use brigade_storage::{Location, Object};

pub(crate) use self::{
    consecutive::ConsecutiveFailures,
    dispatcher::{Dispatcher, Turn},
    evidence::Key,
    judge::{Asked, BrakeChange, Ruling},
    state::{NoTurn, Patience},
    streak::{Reason, folder},
};
use crate::wire;

/// What processes objects: the worker's client, or a simulated worker.
#[async_trait]
pub trait Worker: fmt::Debug + Send + Sync + 'static {
    /// Asks about one object generation, and gives up after `timeout`.
    async fn process(&self, request: ProcessRequest, timeout: Duration) -> Answer;

    /// Whether the worker answers at all, within `timeout`. It is asked before a file that may have ended it is sent again,
    /// and after failures.
    async fn is_reachable(&self, timeout: Duration) -> bool;

    /// What it speaks, for metrics.
    fn protocol(&self) -> &'static str {
        "grpc"
    }
}

#[async_trait]
impl Worker for WorkerClient {
    async fn process(&self, request: ProcessRequest, timeout: Duration) -> Answer {
        WorkerClient::process(self, request, timeout).await
    }

    async fn is_reachable(&self, timeout: Duration) -> bool {
        WorkerClient::is_reachable(self, timeout).await
    }
}

#[async_trait]
impl Worker for HttpWorkerClient {
    async fn process(&self, request: ProcessRequest, timeout: Duration) -> Answer {
        HttpWorkerClient::process(self, request, timeout).await
    }

    async fn is_reachable(&self, timeout: Duration) -> bool {
        HttpWorkerClient::is_reachable(self, timeout).await
    }

    fn protocol(&self) -> &'static str {
        "http"
    }
}

/// The request about `object` of `inbox`, for the `attempt`th time.
pub(crate) fn request(inbox: &Location, object: &Object, attempt: u32) -> ProcessRequest {
    let object = wire::object(object);
    ProcessRequest {
        idempotency_key: object.idempotency_key(),
        attempt: attempt.try_into().unwrap_or(i32::MAX),
        object: Some(object),
        inbox: inbox.uri(),
    }
}
