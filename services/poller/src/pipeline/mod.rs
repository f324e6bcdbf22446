//! One object from listing to settlement: dispatch, verdict, again if need be, settle.

mod enqueue;
mod leave;
mod place;
mod process;
mod subject;
mod turn;

use std::sync::Arc;

use brigade_proto::v1::Settlement;
use brigade_storage::{Error, Object};
use brigade_telemetry::Span;
use tokio::time::Instant;

use crate::{
    activity::Activity,
    error::PollError,
    in_flight::Leader,
    instance::{Instance, Slot},
    mark, metrics,
    outcome::{ObjectResult, Outcome, SharedResult},
    report,
    run::RunContext,
    settle::Placement,
    spans,
    tasks::Queue,
    verdict::{Blame, Retry},
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
        object: Arc<Object>,
        leader: Leader<SharedResult>,
        slot: Slot,
    ) -> Finished {
        let running = ObjectSpan::begin(self.run, &object);
        let settled = if leader.is_settled() {
            running.span.around(self.settle_if_live(&object, slot)).await
        } else {
            running.span.around(self.settle(&object, slot)).await
        };
        let mut finished = running.end(&object, settled);
        finished.complete(leader);
        finished
    }

    pub(crate) async fn run(self, object: &Arc<Object>, slot: Slot) -> Finished {
        let running = ObjectSpan::begin(self.run, object);
        let settled = running.span.around(self.settle(object, slot)).await;
        running.end(object, settled)
    }

    /// This instance has settled the object before, and the listing may be older than that.
    async fn settle_if_live(self, object: &Arc<Object>, slot: Slot) -> Result<Outcome, PollError> {
        match self.instance.settler.live(&object.name).await {
            Ok(Some(live)) if live.generation == object.generation => {
                self.settle(object, slot).await
            }
            Ok(_) => Ok(Outcome::superseded(object)),
            // As when a move fails: one object's next try, not the end of the poll.
            Err(error) => {
                let outcome = Outcome::new(object, Settlement::Retry);
                self.place(object, outcome, Err(error)).await
            }
        }
    }

    async fn settle(self, object: &Arc<Object>, slot: Slot) -> Result<Outcome, PollError> {
        if self.run.plan.dry_run {
            return Ok(Outcome::new(object, Settlement::Planned));
        }
        if let Some(recorded) = mark::recorded_verdict(object) {
            let outcome = Outcome::recorded(object, &recorded);
            let settling = SettleSpan::begin(outcome.settlement());
            let placed = settling.span.around(self.instance.settler.complete(object)).await;
            let placed = settling.end(placed);
            return self.place(object, outcome, placed).await;
        }
        match self.instance.settler.complete_replay(object).await {
            Ok(None) => {}
            Ok(Some(why)) => return Ok(not_replayed(object, &why)),
            Err(error) if error.is_transient() => {
                let outcome = Outcome::new(object, Settlement::Retry);
                return self.place(object, outcome, Err(error)).await;
            }
            // Nothing is written on it: its source would be overwritten.
            Err(error) => return Ok(not_replayed(object, &error.to_string())),
        }
        match self.queue {
            Some(queue) => self.enqueue(queue, object, slot).await,
            None => self.process(object, slot).await,
        }
    }
}

/// The outcome of a copy whose original is still in the failed location.
fn not_replayed(object: &Object, why: &str) -> Outcome {
    let outcome = Outcome::new(object, Settlement::Retry);
    outcome.not_moved(Settlement::Retry, &format!("its replay is not complete: {why}"))
}

/// An object on its way, in its span. No function takes the future: it would hold it twice.
struct ObjectSpan {
    span: Span,
    began: Instant,
}

/// A move by a verdict, in its span.
struct SettleSpan {
    span: Span,
    settlement: Settlement,
    began: Instant,
}

// === impl ObjectSpan ===

impl ObjectSpan {
    fn begin(run: &RunContext, object: &Object) -> Self {
        Self { span: run.object_span(object), began: Instant::now() }
    }

    fn end(self, object: &Object, settled: Result<Outcome, PollError>) -> Finished {
        let (mut outcome, error) = match settled {
            Ok(outcome) => (outcome, None),
            Err(error) => (Outcome::stopped(object, &error), Some(error)),
        };
        outcome.settled.duration = Some(wire::duration(self.began.elapsed()));
        spans::settled(&self.span, outcome.settlement(), outcome.kind, &outcome.settled.reason);
        Finished { outcome, error }
    }
}

// === impl SettleSpan ===

impl SettleSpan {
    fn begin(settlement: Settlement) -> Self {
        Self { span: spans::settle(settlement), settlement, began: Instant::now() }
    }

    fn end(self, placed: Result<Placement, Error>) -> Result<Placement, Error> {
        metrics::settle_duration(self.settlement, self.began.elapsed());
        placed.inspect_err(|error| self.span.fail(error))
    }
}

// === impl Finished ===

impl Finished {
    /// Whether it does not count among the objects that a poll may dispatch.
    pub(crate) fn is_free(&self) -> bool {
        self.outcome.settlement() == Settlement::AlreadyEnqueued
    }

    /// Gives the result to the object's followers and its caller, and reports it.
    pub(crate) fn complete_alone(
        mut self,
        leader: Leader<SharedResult>,
        activity: &Activity,
    ) -> SharedResult {
        self.defer_unwritten(&leader);
        let result = if let Some(error) = self.error {
            Err(error)
        } else {
            let result = self.outcome.to_result();
            report::settled_alone(activity, self.outcome);
            Ok(result.unwrap_or_else(ObjectResult::interrupted))
        };
        complete(leader, &result);
        result
    }

    /// Polls and events leave the object alone for the same time.
    fn defer_unwritten(&mut self, leader: &Leader<SharedResult>) {
        if self.outcome.is_unwritten {
            self.outcome.retry_after = Some(leader.defer());
        }
    }

    /// Gives the result to the object's followers. One that is a task now has no result yet: they start again.
    fn complete(&mut self, leader: Leader<SharedResult>) {
        self.defer_unwritten(&leader);
        if self.error.is_none() && self.outcome.is_moved() {
            leader.remember_settled();
        }
        leader.complete(|| match &self.error {
            Some(error) => Some(Err(error.clone())),
            None => self.outcome.to_result().map(Ok),
        });
    }
}

/// Gives `result` to every follower, and remembers an object that was moved.
pub(crate) fn complete(leader: Leader<SharedResult>, result: &SharedResult) {
    if result.as_ref().is_ok_and(ObjectResult::is_moved) {
        leader.remember_settled();
    }
    leader.complete(|| Some(result.clone()));
}

fn poll_ended() -> Retry {
    Retry {
        after: None,
        blame: Blame::Poll,
        why: "the poll ended before the worker answered".into(),
    }
}
