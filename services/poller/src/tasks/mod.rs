//! Dispatch through Cloud Tasks: a poll puts each object into a queue as a named task, and the queue calls `POST /process`
//! of whichever instance is free. Rate, retries and spread are the queue's.
//!
//! Over gRPC, with the stubs of `googleapis-tonic-google-cloud-tasks-v2`. The official `google-cloud-tasks-v2` speaks JSON
//! over HTTP alone, which no emulator of Cloud Tasks does, and brings an HTTP stack's worth of crates of its own; one call
//! of one method is all that is needed here, over the tonic that is in the tree already. Access tokens come from
//! `google-cloud-auth`, as those for Cloud Storage do: one order of credentials in one program.

mod client;
mod settings;
mod task;

use std::{fmt, time::Duration};

use async_trait::async_trait;
use brigade_storage::Object;

pub use client::{CloudTasks, TasksError};
pub use settings::{TasksArgs, TasksSettings};
pub(crate) use task::MAX_DEADLINE;
pub use task::Target;

use crate::verdict::{Retry, Stop};

/// A queue of objects.
#[async_trait]
pub trait Queue: fmt::Debug + Send + Sync + 'static {
    /// Puts one object generation into the queue, unless it is there or was there not long ago. Gives up after `timeout`.
    async fn enqueue(&self, object: &Object, timeout: Duration) -> Enqueued;
}

/// The result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// Its task is in the queue now.
    Created,
    /// It was in the queue before.
    Exists,
    /// Unknown: try again.
    Again(Retry),
    /// Every object would meet this.
    Stop(Stop),
}
