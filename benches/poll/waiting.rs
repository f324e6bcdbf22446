//! A worker whose work is to wait.

use std::time::Duration;

use brigade_worker::{Job, Outcome, ProcessError, Processor};

/// How long it waits for each object.
pub(crate) struct Waiting(pub(crate) Duration);

impl Processor for Waiting {
    type Error = ProcessError;

    async fn process(&self, _: &Job) -> Result<Outcome, ProcessError> {
        if !self.0.is_zero() {
            tokio::time::sleep(self.0).await;
        }
        Ok(Outcome::default())
    }
}
