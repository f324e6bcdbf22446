//! The loop of a poll: keeps objects in flight until the listing or a budget ends.

use std::{pin::pin, time::Duration};

use brigade_proto::v1::{EndReason, Filter};
use brigade_storage::{Error as StorageError, Object};
use futures::{Stream, StreamExt as _, stream::FuturesUnordered};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    error::PollError,
    filter::{self, Skip},
    in_flight::{Join, Leader},
    mark,
    outcome::{DEFERRED, SharedResult},
    pipeline::{Finished, ObjectPipeline},
    report::Reporter,
    run::RunContext,
};

/// What a poll has dispatched, and why it dispatches no more.
struct PollLoop<'a> {
    run: &'a RunContext,
    reporter: &'a mut Reporter,
    /// Objects handed to the worker, or to the queue.
    dispatched: u64,
    end: Option<Result<EndReason, PollError>>,
}

/// What becomes of a listed object.
enum Considered {
    /// It is no work, or not now.
    Skip(Skip),
    /// It is work, and this poll dispatches no more.
    End(EndReason),
    Dispatch(Leader<SharedResult>),
}

/// Keeps up to `concurrency` objects in flight. What is in flight when something ends the poll early is settled all the
/// same, so that no answer is lost.
pub(super) async fn run_loop(
    run: &RunContext,
    reporter: &mut Reporter,
    lease_lost: &CancellationToken,
    listing: impl Stream<Item = Result<Object, StorageError>>,
) -> Result<EndReason, PollError> {
    let pipeline = ObjectPipeline::for_listed(run);
    let mut listing = pin!(listing);
    let mut in_flight = FuturesUnordered::new();
    let mut interrupted = pin!(interrupted(run, lease_lost, reporter.unheard()));
    let mut grace_over = pin!(run.grace_over());
    let mut deadline = pin!(sleep(run.plan.time_left()));
    let share = run.plan.suspects_share();
    let mut suspects_due = pin!(sleep(run.plan.time_left().saturating_sub(share)));
    let mut free_slot = None;
    let mut poll = PollLoop { run, reporter, dispatched: 0, end: None };
    while poll.end.is_none() || !in_flight.is_empty() {
        if poll.end.is_some() && in_flight.len() <= run.suspects.waiting() {
            run.suspects.open(share);
        }
        let may_dispatch = poll.may_dispatch(in_flight.is_empty());
        if !may_dispatch {
            // Another poll or event may wait for it.
            free_slot = None;
        }
        tokio::select! {
            biased;
            () = &mut grace_over, if !run.abort_calls.is_cancelled() => run.abort_calls.cancel(),
            reason = &mut interrupted, if !run.stop_dispatch.is_cancelled() => poll.interrupt(reason),
            Some(finished) = in_flight.next() => poll.finish(finished),
            () = run.suspects.joined.notified(), if !run.suspects.is_open() => {}
            () = &mut suspects_due, if !run.suspects.is_open() => run.suspects.open(share),
            () = poll.reporter.catch_up(), if poll.reporter.is_behind() => {}
            slot = run.instance.slots.clone().acquire_owned(), if may_dispatch && free_slot.is_none() => {
                free_slot = slot.ok();
            }
            next = listing.next(), if may_dispatch && free_slot.is_some() => {
                if let Some((object, leader)) = poll.take_listed(next)
                    && let Some(slot) = free_slot.take()
                {
                    in_flight.push(pipeline.run_tracked(object, leader, slot));
                }
            }
            // Others may hold all slots, the listener be behind, or the listing hang, for longer than this poll has.
            () = &mut deadline, if poll.end.is_none() => poll.end = Some(Ok(EndReason::Deadline)),
            else => break,
        }
    }
    poll.end.unwrap_or(Ok(EndReason::Complete))
}

/// Why nothing new may be dispatched any more.
async fn interrupted(
    run: &RunContext,
    lease_lost: &CancellationToken,
    unheard: impl Future<Output = ()>,
) -> EndReason {
    tokio::select! {
        biased;
        () = run.instance.shutdown.cancelled() => EndReason::Shutdown,
        () = lease_lost.cancelled() => EndReason::LeaseLost,
        () = unheard => EndReason::Cancelled,
    }
}

// === impl PollLoop ===

impl PollLoop<'_> {
    fn may_dispatch(&self, is_idle: bool) -> bool {
        // An object that is a task already does not count, and one that is being enqueued may be one.
        let may_count_less = self.run.instance.queue.is_some() && !is_idle;
        let is_spent = self.dispatched >= self.run.plan.max_objects && may_count_less;
        self.end.is_none() && !self.reporter.is_behind() && !is_spent
    }

    /// Whether the brake went on in this poll.
    fn is_braked(&self) -> bool {
        let run = self.run;
        let asks = !run.plan.dry_run && !run.stop_dispatch.is_cancelled();
        asks && run.instance.dispatcher.is_braked()
    }

    fn interrupt(&mut self, reason: EndReason) {
        self.run.stop_dispatch.cancel();
        tracing::info!(reason = reason.as_str_name(), "poll ends early: nothing new is dispatched");
        let failed = self.end.take().filter(Result::is_err);
        self.end = Some(failed.unwrap_or(Ok(reason)));
    }

    fn finish(&mut self, finished: Finished) {
        self.dispatched -= u64::from(finished.is_free());
        if let Some(error) = finished.error {
            self.fail(error);
        } else if self.is_braked() {
            self.interrupt(EndReason::Brake);
        }
        self.reporter.settled(finished.outcome);
    }

    /// What the listing has next, if it is to be dispatched.
    fn take_listed(
        &mut self,
        next: Option<Result<Object, StorageError>>,
    ) -> Option<(Object, Leader<SharedResult>)> {
        let object = match next {
            None => {
                self.end = Some(Ok(EndReason::Complete));
                return None;
            }
            Some(Err(error)) => {
                self.fail(error.into());
                return None;
            }
            Some(Ok(object)) => object,
        };
        self.reporter.listed();
        match self.consider(&object) {
            Considered::Skip(skip) => {
                let explain = self.run.plan.explain;
                self.reporter.skipped(&object, skip, explain);
                None
            }
            Considered::End(reason) => {
                self.end = Some(Ok(reason));
                None
            }
            Considered::Dispatch(leader) => {
                self.dispatched += u64::from(needs_worker(&object));
                self.reporter.dispatched();
                Some((object, leader))
            }
        }
    }

    fn consider(&self, object: &Object) -> Considered {
        let (plan, instance) = (&self.run.plan, &self.run.instance);
        if let Some(skip) = filter::skip_listed(&instance.config, object, instance.clock.now()) {
            return Considered::Skip(skip);
        }
        if self.dispatched >= plan.max_objects && needs_worker(object) {
            return Considered::End(EndReason::MaxObjects);
        }
        if plan.is_over_in(Duration::ZERO) {
            return Considered::End(EndReason::Deadline);
        }
        match instance.in_flight.join(&object.name, object.generation) {
            Join::Follower(_) => Considered::Skip(Skip {
                filter: Filter::InFlight,
                detail: "an event or a task already processes it".into(),
            }),
            Join::Leader(leader) if leader.deferred_for().is_some() => {
                Considered::Skip(Skip { filter: Filter::NotDue, detail: DEFERRED.into() })
            }
            Join::Leader(leader) => Considered::Dispatch(leader),
        }
    }

    fn fail(&mut self, error: PollError) {
        self.run.stop_dispatch.cancel();
        self.end = Some(Err(error));
    }
}

/// Whether the object has no verdict on it yet.
fn needs_worker(object: &Object) -> bool {
    mark::recorded_verdict(object).is_none()
}
