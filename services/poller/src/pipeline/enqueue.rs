//! Puts an object into a queue, whose task has it settled.

use brigade_proto::v1::Settlement;
use brigade_storage::Object;

use super::{ObjectPipeline, poll_ended};
use crate::{
    attempts::{AttemptPolicy, Circumstances, Decision},
    error::PollError,
    instance::Slot,
    outcome::Outcome,
    retry::queue_pause,
    tasks::{Enqueued, Queue},
    verdict::{Blame, Retry},
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
        let mut failures = 0;
        loop {
            let retry = match self.call_queue(queue, object).await {
                Enqueued::Stop(stop) => return Err(PollError::Stopped(stop)),
                Enqueued::Again(retry) => retry,
                Enqueued::Created => {
                    self.run.queue.record_success();
                    return Ok(Outcome::new(object, Settlement::Enqueued));
                }
                Enqueued::Exists => {
                    self.run.queue.record_success();
                    let outcome = Outcome::new(object, Settlement::AlreadyEnqueued);
                    return Ok(outcome.because(EXISTS));
                }
            };
            self.record_failure(&retry)?;
            let circumstances = Circumstances {
                now: self.instance.clock.now(),
                had_full_time: true,
                others_accepted: false,
                failures: 0,
            };
            let next = match attempts.decide(&retry, circumstances) {
                Decision::RetryNow(pause) if pause.is_zero() => {
                    failures += 1;
                    let pause = queue_pause(failures).max(retry.after.unwrap_or_default());
                    self.run.pause(slot, pause).await
                }
                Decision::RetryNow(pause) => self.run.pause(slot, pause).await,
                Decision::RetryNextPoll(_) | Decision::Fail { .. } => None,
            };
            let Some(next) = next else {
                return Ok(Outcome::new(object, Settlement::Retry).because(&retry.why));
            };
            slot = next;
        }
    }

    /// Counts a failure between poller and queue.
    fn record_failure(self, retry: &Retry) -> Result<(), PollError> {
        let queue = &self.run.queue;
        if retry.blame == Blame::Transport && queue.record_failure() {
            return Err(PollError::WorkerAway { failures: queue.limit(), last: retry.why.clone() });
        }
        Ok(())
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
