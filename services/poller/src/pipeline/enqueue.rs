//! Puts an object into a queue, whose task has it settled.

use brigade_proto::v1::Settlement;
use brigade_storage::Object;

use super::{ObjectPipeline, poll_ended};
use crate::{
    attempts::{AttemptPolicy, Decision},
    error::PollError,
    instance::Slot,
    outcome::Outcome,
    tasks::{Enqueued, Queue},
};

const EXISTS: &str = "its task exists, or ended within about the last hour";

impl ObjectPipeline<'_> {
    pub(super) async fn enqueue(
        self,
        queue: &dyn Queue,
        object: &Object,
        mut slot: Slot,
    ) -> Result<Outcome, PollError> {
        let mut attempts = AttemptPolicy::for_object(object, &self.instance.config.budgets);
        loop {
            let retry = match self.call_queue(queue, object).await {
                Enqueued::Stop(stop) => return Err(PollError::Stopped(stop)),
                Enqueued::Again(retry) => retry,
                Enqueued::Created => {
                    self.run.worker.record_success();
                    return Ok(Outcome::new(object, Settlement::Enqueued));
                }
                Enqueued::Exists => {
                    self.run.worker.record_success();
                    let outcome = Outcome::new(object, Settlement::AlreadyEnqueued);
                    return Ok(outcome.because(EXISTS));
                }
            };
            self.record_failure(&retry)?;
            let next = match attempts.decide(&retry, true) {
                Decision::RetryNow(pause) => self.run.pause(slot, pause).await,
                Decision::RetryNextPoll(_) | Decision::Fail { .. } => None,
            };
            let Some(next) = next else {
                return Ok(Outcome::new(object, Settlement::Retry).because(&retry.why));
            };
            slot = next;
        }
    }

    async fn call_queue(self, queue: &dyn Queue, object: &Object) -> Enqueued {
        let time = self.run.plan.call_time();
        if time.is_zero() {
            return Enqueued::Again(poll_ended());
        }
        tokio::select! {
            biased;
            enqueued = queue.enqueue(object, time) => enqueued,
            () = self.run.abort_calls.cancelled() => Enqueued::Again(poll_ended()),
        }
    }
}
