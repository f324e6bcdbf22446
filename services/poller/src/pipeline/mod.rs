//! One object from listing to settlement: dispatch, verdict, again if need be, settle.

mod enqueue;
mod place;

use std::time::Duration;

use brigade_client::answer::Answer;
use brigade_proto::v1::Settlement;
use brigade_storage::Object;
use tokio::time::Instant;

use crate::{
    attempts::{AttemptPolicy, Decision},
    dispatch::dispatch,
    error::PollError,
    in_flight::Leader,
    instance::{Instance, Slot},
    mark,
    outcome::{ObjectResult, Outcome, SharedResult},
    run::RunContext,
    tasks::Queue,
    verdict::{Blame, Retry, Verdict, verdict},
    wire,
};

/// An object's end.
pub(crate) struct Finished {
    pub(crate) outcome: Outcome,
    /// Every other object would meet it too: the poll ends.
    pub(crate) error: Option<PollError>,
}

/// Takes one object from listing to settlement.
#[derive(Clone, Copy)]
pub(crate) struct ObjectPipeline<'a> {
    instance: &'a Instance,
    run: &'a RunContext,
    /// Where the object goes instead of to the worker.
    queue: Option<&'a dyn Queue>,
}

// === impl ObjectPipeline ===

impl<'a> ObjectPipeline<'a> {
    /// For objects that a poll has listed.
    pub(crate) fn for_listed(run: &'a RunContext) -> Self {
        Self { queue: run.instance.queue.as_deref(), ..Self::for_named(run) }
    }

    /// For an object that an event or a task named: it goes to the worker in any case.
    pub(crate) fn for_named(run: &'a RunContext) -> Self {
        Self { instance: &run.instance, run, queue: None }
    }

    /// Runs the object, and gives the result to its followers.
    pub(crate) async fn run_tracked(
        self,
        object: Object,
        leader: Leader<SharedResult>,
        slot: Slot,
    ) -> Finished {
        let finished = if leader.is_settled() {
            Finished::timed(&object, self.settle_if_live(&object, slot)).await
        } else {
            self.run(&object, slot).await
        };
        finished.complete(leader);
        finished
    }

    pub(crate) async fn run(self, object: &Object, slot: Slot) -> Finished {
        Finished::timed(object, self.settle(object, slot)).await
    }

    /// This instance has settled the object before, and the listing may be older than that.
    async fn settle_if_live(self, object: &Object, slot: Slot) -> Result<Outcome, PollError> {
        let live = self.instance.settler.live(&object.name).await?;
        if live.is_some_and(|live| live.generation == object.generation) {
            self.settle(object, slot).await
        } else {
            Ok(Outcome::superseded(object))
        }
    }

    async fn settle(self, object: &Object, slot: Slot) -> Result<Outcome, PollError> {
        if self.run.plan.dry_run {
            return Ok(Outcome::new(object, Settlement::Planned));
        }
        if let Some(recorded) = mark::recorded_verdict(object) {
            let placed = self.instance.settler.complete(object).await;
            let outcome = Outcome::recorded(object, &recorded);
            return self.place(object, outcome, placed).await;
        }
        match self.queue {
            Some(queue) => self.enqueue(queue, object, slot).await,
            None => self.process(object, slot).await,
        }
    }

    /// Asks the worker until it has a verdict, or the object is left for a later poll.
    async fn process(self, object: &Object, mut slot: Slot) -> Result<Outcome, PollError> {
        let mut attempts = AttemptPolicy::for_object(object, &self.instance.config.budgets);
        loop {
            let (answer, call_time) = self.ask(object, attempts.next_attempt()).await;
            let code = answer.as_ref().and_then(status_code);
            let retry = match answer.map(verdict) {
                None => poll_ended(),
                Some(Verdict::Stop(stop)) => return Err(PollError::Stopped(stop)),
                Some(Verdict::Retry(retry)) => retry,
                Some(Verdict::Processed(response)) => {
                    let outcome = Outcome::accepted(object, response).with_status(code);
                    let placed = self.instance.settler.processed(object).await;
                    return self.place(object, outcome, placed).await;
                }
                Some(Verdict::Failed(reason)) => {
                    let attempts = attempts.next_attempt();
                    return self.fail(object, &reason, attempts, code).await;
                }
            };
            let had_full_time = self.run.plan.is_full_call(call_time);
            let (pause, is_later) = match attempts.decide(&retry, had_full_time) {
                Decision::Fail { reason } => {
                    return self.fail(object, &reason, attempts.attempts(), code).await;
                }
                Decision::RetryNow(pause) => (pause, false),
                Decision::RetryNextPoll(pause) => (pause, true),
            };
            self.record_failure(&retry)?;
            let next = if is_later { None } else { self.run.pause(slot, pause).await };
            let Some(next) = next else {
                return self.leave(object, &attempts, &retry, pause, code).await;
            };
            slot = next;
        }
    }

    /// Asks the worker, and returns how long the call could take. No answer when the poll's time is up, or when the
    /// service shuts down before there is one.
    async fn ask(self, object: &Object, attempt: u32) -> (Option<Answer>, Duration) {
        let time = self.run.plan.call_time();
        if time.is_zero() {
            return (None, time);
        }
        let answer = tokio::select! {
            biased;
            answer = dispatch(&*self.instance.worker, object, attempt, time) => answer,
            () = self.run.abort_calls.cancelled() => return (None, time),
        };
        if let Answer::Worker(_) = answer {
            self.run.worker.record_success();
        }
        (Some(answer), time)
    }

    /// Tells the breaker of a failure between poller and worker.
    fn record_failure(self, retry: &Retry) -> Result<(), PollError> {
        let breaker = &self.run.worker;
        if retry.blame == Blame::Transport && breaker.record_failure() {
            return Err(PollError::WorkerAway {
                failures: breaker.limit(),
                last: retry.why.clone(),
            });
        }
        Ok(())
    }

    async fn fail(
        self,
        object: &Object,
        reason: &str,
        attempts: u32,
        code: Option<i32>,
    ) -> Result<Outcome, PollError> {
        let placed = self.instance.settler.failed(object, reason, attempts).await;
        let outcome = Outcome::new(object, Settlement::Failed).because(reason);
        self.place(object, outcome.with_status(code), placed).await
    }

    /// Leaves the object for a later poll, with its new attempts written on it.
    async fn leave(
        self,
        object: &Object,
        attempts: &AttemptPolicy,
        retry: &Retry,
        pause: Duration,
        code: Option<i32>,
    ) -> Result<Outcome, PollError> {
        let mut left = Outcome::new(object, Settlement::Retry).because(&retry.why);
        left = left.with_status(code);
        left.retry_after = Some(pause);
        if !attempts.is_unwritten() {
            return Ok(left);
        }
        let settler = &self.instance.settler;
        let recorded = settler.record_attempt(object, &retry.why, attempts.attempts(), pause);
        match recorded.await {
            Ok(true) => Ok(left),
            Ok(false) => Ok(Outcome::superseded(object)),
            Err(error) if error.needs_fix() => Err(error.into()),
            // The worker is asked once more than it should be; that is all.
            Err(error) => {
                tracing::warn!(%error, "could not write an attempt on its object");
                Ok(left)
            }
        }
    }
}

// === impl Finished ===

impl Finished {
    async fn timed(
        object: &Object,
        settling: impl Future<Output = Result<Outcome, PollError>>,
    ) -> Self {
        let began = Instant::now();
        let (mut outcome, error) = match settling.await {
            Ok(outcome) => (outcome, None),
            Err(error) => (Outcome::stopped(object, &error), Some(error)),
        };
        outcome.settled.duration = Some(wire::duration(began.elapsed()));
        Self { outcome, error }
    }

    /// Whether it does not count among the objects that a poll may dispatch.
    pub(crate) fn is_free(&self) -> bool {
        self.outcome.settlement() == Settlement::AlreadyEnqueued
    }

    /// Gives the result to the object's followers. One that is a task now has no result yet: they start again.
    fn complete(&self, leader: Leader<SharedResult>) {
        if self.outcome.is_unwritten {
            leader.defer();
        }
        let result = match &self.error {
            Some(error) => Some(Err(error.clone())),
            None => self.outcome.to_result().map(Ok),
        };
        if let Some(result) = result {
            complete(leader, result);
        }
    }
}

/// Gives `result` to every follower, and remembers an object that was moved.
pub(crate) fn complete(leader: Leader<SharedResult>, result: SharedResult) {
    if result.as_ref().is_ok_and(ObjectResult::is_moved) {
        leader.remember_settled();
    }
    leader.complete(result);
}

fn poll_ended() -> Retry {
    Retry {
        after: None,
        blame: Blame::Poll,
        why: "the poll ended before the worker answered".into(),
    }
}

fn status_code(answer: &Answer) -> Option<i32> {
    match answer {
        Answer::Worker(answer) => Some(answer.code.into()),
        Answer::Transport(_) | Answer::TimedOut(_) | Answer::TooLarge { .. } => None,
    }
}
