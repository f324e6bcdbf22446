//! A worker in this process that accepts everything.

use std::time::Duration;

use async_trait::async_trait;
use brigade_client::answer::Answer;
use brigade_poller::dispatch::Worker;
use brigade_proto::v1::{ProcessRequest, ProcessResponse};

/// Accepts everything, after others had their turn.
#[derive(Debug)]
pub(crate) struct Accepting;

#[async_trait]
impl Worker for Accepting {
    async fn process(&self, _: ProcessRequest, _: Duration) -> Answer {
        tokio::task::yield_now().await;
        Answer::ok(ProcessResponse::default())
    }

    async fn is_reachable(&self, _timeout: Duration) -> bool {
        true
    }
}
