//! The loop of a poll: keeps objects in flight until the listing or a budget ends.

use std::{pin::pin, sync::Arc};

use brigade_proto::v1::{EndReason, Filter};
use brigade_storage::Object;
use brigade_telemetry::measuring;
use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    left::Left,
    passes::{Next, Objects, Passes},
};
use crate::{
    error::PollError,
    filter::{self, Skip},
    in_flight::{Join, Leader},
    mark,
    metrics::{self, Inbox},
    outcome::{DEFERRED, SharedResult},
    pipeline::{Finished, ObjectPipeline},
    report::Reporter,
    run::RunContext,
    scan::Listed,
};

/// What a poll has dispatched, and why it dispatches no more.
struct PollLoop<'a> {
    run: &'a RunContext,
    reporter: &'a mut Reporter,
    passes: Passes<'a>,
    /// The work that the listing found in the whole inbox, if metrics are read.
    seen: Option<Inbox>,
    left: Left,
    /// Objects handed to the worker, or to the queue.
    dispatched: u64,
    end: Option<Result<EndReason, PollError>>,
}

/// What becomes of a listed object.
enum Considered {
    /// It is no work, or not now.
    Skip(Skip),
    /// This poll has left it in the inbox.
    Left,
    /// It was settled since its page was requested.
    Settled,
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
    objects: Objects,
) -> Result<EndReason, PollError> {
    let pipeline = ObjectPipeline::for_listed(run);
    let mut in_flight = FuturesUnordered::new();
    let mut interrupted = pin!(interrupted(run, lease_lost, reporter.unheard()));
    let mut grace_over = pin!(run.grace_over());
    let mut deadline = pin!(sleep(run.plan.time_left()));
    let share = run.plan.suspects_share();
    let mut suspects_due = pin!(sleep(run.plan.time_left().saturating_sub(share)));
    let mut free_slot = None;
    let mut poll = PollLoop::new(run, reporter, objects);
    while !poll.is_over(in_flight.len()) {
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
            next = poll.passes.next(), if poll.is_pausing() || (may_dispatch && free_slot.is_some()) => {
                if let Some((object, leader)) = poll.take_listed(next)
                    && let Some(slot) = free_slot.take()
                {
                    in_flight.push(pipeline.run_tracked(Arc::new(object), leader, slot));
                }
            }
            // Others may hold all slots, the listener be behind, or the listing hang, for longer than this poll has.
            () = &mut deadline, if poll.end.is_none() => poll.time_is_over(),
            else => break,
        }
    }
    if let Some(part) = poll.seen.take().filter(|part| *part != Inbox::default()) {
        metrics::listed_part(part);
    }
    let end = poll.end.unwrap_or(Ok(EndReason::Complete));
    poll.passes.remember_position(end.as_ref().is_ok_and(|end| *end != EndReason::Complete));
    end
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

impl<'a> PollLoop<'a> {
    fn new(run: &'a RunContext, reporter: &'a mut Reporter, objects: Objects) -> Self {
        let passes = Passes::new(run, objects);
        if passes.is_inbox() {
            reporter.began_pass();
        }
        let seen = seen(run).filter(|_| passes.is_inbox());
        Self { run, reporter, passes, seen, left: Left::default(), dispatched: 0, end: None }
    }

    fn is_pausing(&self) -> bool {
        self.end.is_none() && self.passes.is_pausing()
    }

    /// Whether nothing is left to do. Between two passes: when the last one found nothing and nothing is in flight. Those that wait
    /// as suspects for all others do not count: the poll finds nothing more before their turn.
    fn is_over(&mut self, in_flight: usize) -> bool {
        let suspects = self.run.suspects.waiting();
        let only_suspects = in_flight <= suspects;
        if self.is_pausing() && only_suspects && (suspects > 0 || !self.passes.has_found()) {
            self.end = Some(Ok(EndReason::Complete));
        }
        self.end.is_some() && in_flight == 0
    }

    fn may_dispatch(&self, is_idle: bool) -> bool {
        // An object that is a task already does not count, and one that is being enqueued may be one.
        let may_count_less = self.run.instance.queue.is_some() && !is_idle;
        let is_spent = self.dispatched >= self.run.plan.max_objects && may_count_less;
        let may_list = self.end.is_none() && !self.passes.is_pausing();
        may_list && !self.reporter.is_behind() && !is_spent
    }

    /// The listing of the pass has ended.
    fn pass_over(&mut self) {
        let goes_on = self.passes.may_go_on() && !self.left.is_full();
        if goes_on && self.passes.has_more() {
            self.begin_pass();
        } else if goes_on && self.run.plan.relist {
            self.passes.pause();
        } else {
            self.end = Some(Ok(EndReason::Complete));
        }
    }

    fn begin_pass(&mut self) {
        self.passes.begin();
        self.seen = seen(self.run);
        self.reporter.began_pass();
    }

    /// Between two passes it has seen the whole inbox.
    fn time_is_over(&mut self) {
        let reason = if self.is_pausing() { EndReason::Complete } else { EndReason::Deadline };
        self.end = Some(Ok(reason));
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
        if self.passes.may_go_on() {
            let after = finished.outcome.retry_after.unwrap_or_default();
            let now = self.run.instance.clock.now();
            self.left.add(&finished.outcome.settled, now, after);
        }
        self.reporter.settled(finished.outcome);
    }

    /// What is next, if it is to be dispatched.
    fn take_listed(&mut self, next: Next) -> Option<(Object, Leader<SharedResult>)> {
        if !self.passes.is_listing() {
            self.measure_inbox();
        }
        let listed = match next {
            Next::Object(listed) => listed,
            Next::Failed(error) => {
                self.fail(error.into());
                return None;
            }
            Next::Over => {
                self.pass_over();
                return None;
            }
            Next::Again => {
                if self.left.is_full() {
                    self.end = Some(Ok(EndReason::Complete));
                } else {
                    self.begin_pass();
                }
                return None;
            }
        };
        let is_first = self.passes.is_first();
        let considered = self.consider(&listed);
        if self.passes.is_listing() {
            self.see(&listed.object, &considered);
            if is_first {
                self.reporter.listed();
            }
        }
        match considered {
            Considered::Skip(skip) if is_first => {
                let explain = self.run.plan.explain;
                self.reporter.skipped(&listed.object, skip, explain);
                None
            }
            Considered::Skip(_) | Considered::Left | Considered::Settled => None,
            Considered::Dispatch(_) | Considered::End(_) if self.passes.is_collecting() => {
                self.passes.collect(listed);
                None
            }
            Considered::End(reason) => {
                self.end = Some(Ok(reason));
                None
            }
            Considered::Dispatch(leader) => {
                self.dispatched += u64::from(needs_worker(&listed.object));
                self.passes.found();
                self.reporter.dispatched();
                Some((listed.object, leader))
            }
        }
    }

    /// Counts an object of the listing, if it is work.
    fn see(&mut self, object: &Object, considered: &Considered) {
        let Some(seen) = &mut self.seen else { return };
        let is_work = match considered {
            Considered::Skip(skip) => matches!(
                skip.filter,
                Filter::MinAge | Filter::NotDue | Filter::Held | Filter::InFlight
            ),
            Considered::Settled => false,
            Considered::Left | Considered::End(_) | Considered::Dispatch(_) => true,
        };
        if is_work {
            let age = filter::age(object, self.run.instance.clock.now());
            seen.add(age, mark::attempts(object) > 0);
        }
    }

    /// Once the whole inbox was listed.
    fn measure_inbox(&mut self) {
        if let Some(seen) = self.seen.take() {
            metrics::listed(seen);
        }
    }

    fn consider(&self, listed: &Listed) -> Considered {
        let (plan, instance, object) = (&self.run.plan, &self.run.instance, &listed.object);
        if let Some(skip) = filter::skip_listed(&instance.config, object, instance.clock.now()) {
            return Considered::Skip(skip);
        }
        if self.left.holds(listed) {
            return Considered::Left;
        }
        let leader = match instance.in_flight.join(&object.name, object.generation) {
            Join::Follower(_) => {
                return Considered::Skip(Skip {
                    filter: Filter::InFlight,
                    detail: "an event or a task already processes it".into(),
                });
            }
            Join::Leader(leader) if leader.deferred_for().is_some() => {
                return Considered::Skip(Skip { filter: Filter::NotDue, detail: DEFERRED.into() });
            }
            // It was in flight when its page was requested.
            Join::Leader(leader)
                if !self.passes.is_first() && leader.was_settled_since(listed.asked) =>
            {
                return Considered::Settled;
            }
            Join::Leader(leader) => leader,
        };
        let needs_worker = needs_worker(object);
        if self.dispatched >= plan.max_objects && needs_worker {
            return Considered::End(EndReason::MaxObjects);
        }
        if self.run.is_too_late(needs_worker) {
            return Considered::End(EndReason::Deadline);
        }
        Considered::Dispatch(leader)
    }

    fn fail(&mut self, error: PollError) {
        self.run.stop_dispatch.cancel();
        self.end = Some(Err(error));
    }
}

/// Nothing for a folder of the inbox, whose rest is unknown then, and for a dry run.
fn seen(run: &RunContext) -> Option<Inbox> {
    let is_whole = run.plan.prefix == run.instance.config.inbox.prefix;
    (measuring() && is_whole && !run.plan.dry_run).then(Inbox::default)
}

/// Whether the object has no verdict on it yet.
fn needs_worker(object: &Object) -> bool {
    mark::recorded_verdict(object).is_none()
}
