//! The loop of a poll: keeps objects on their way until the listing or a budget ends.

use std::{pin::pin, time::Duration};

use brigade_proto::v1::{EndReason, Filter};
use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Parts, course::Course};
use crate::{
    error::PollError,
    filter::Skip,
    flight::{Boarding, Flights},
    mark,
    one::Landed,
    report::{Reporter, Settled},
    scan::scan,
    way::{Walked, Way},
};

/// How long calls in flight may go on after the service was told to shut down. Cloud Run kills it 10 s after SIGTERM;
/// what was answered must be moved before.
const GRACE: Duration = Duration::from_secs(5);

/// What can end a poll from outside.
#[derive(Debug)]
pub(crate) struct Ends {
    /// The service is told to shut down.
    pub(super) shutdown: CancellationToken,
    /// The lease is not surely ours any more.
    pub(super) lost: CancellationToken,
}

/// Keeps up to `concurrency` objects on their way. What is in flight when something ends the poll early is settled
/// all the same, so nobody's work is lost.
pub(super) async fn work(
    parts: &Parts,
    flights: &Flights<Landed>,
    course: &Course,
    reporter: &mut Reporter,
    ends: &Ends,
) -> Result<EndReason, PollError> {
    let plan = &course.plan;
    let way = Way::new(parts, course);
    let mut listing = pin!(scan(parts.settler.source.clone(), plan.prefix.clone()));
    let mut in_flight = FuturesUnordered::new();
    let mut interrupted = pin!(ends.interrupted(reporter.unheard()));
    let mut grace = pin!(Ends::grace(&ends.shutdown));
    let mut over = pin!(sleep(plan.left()));
    let mut free = None;
    let mut end = None;
    let mut dispatched = 0;
    loop {
        if end.is_some() && in_flight.is_empty() {
            break;
        }
        // What is a task already has cost nothing, and what is on its way into the queue may be.
        let is_spent =
            parts.queue.is_some() && dispatched >= plan.max_objects && !in_flight.is_empty();
        tokio::select! {
            biased;
            () = &mut grace, if !course.cut.is_cancelled() => course.cut.cancel(),
            reason = &mut interrupted, if !course.closing.is_cancelled() => {
                course.closing.cancel();
                tracing::info!(
                    reason = reason.as_str_name(),
                    "the poll ends early: nothing new is dispatched"
                );
                end = Some(end.filter(Result::is_err).unwrap_or(Ok(reason)));
            }
            Some(walked) = in_flight.next() => {
                let walked: Walked = walked;
                if walked.is_free() {
                    dispatched -= 1;
                }
                if let Err(error) = report(walked, reporter) {
                    end = Some(Err(error));
                }
            }
            () = reporter.catch_up(), if reporter.is_behind() => {}
            slot = course.slots.clone().acquire_owned(), if end.is_none() && free.is_none() && !is_spent && !reporter.is_behind() => {
                free = slot.ok();
            }
            next = listing.next(), if end.is_none() && free.is_some() && !is_spent => match next.transpose() {
                Ok(None) => end = Some(Ok(EndReason::Complete)),
                Err(error) => end = Some(Err(error.into())),
                Ok(Some(object)) => {
                    reporter.listed();
                    if let Some(skip) = parts.filters.skip(&object, parts.clock.now()) {
                        reporter.skipped(&object, skip, plan.explain);
                    } else if dispatched >= plan.max_objects && mark::verdict_fixed(&object).is_none() {
                        end = Some(Ok(EndReason::MaxObjects));
                    } else if plan.is_over_in(Duration::ZERO) {
                        end = Some(Ok(EndReason::Deadline));
                    } else {
                        match flights.board(&object.name, object.generation) {
                            Boarding::Theirs(_) => {
                                reporter.skipped(&object, elsewhere(), plan.explain);
                            }
                            Boarding::Ours(flight) if flight.is_put_off() => {
                                reporter.skipped(&object, refused(), plan.explain);
                            }
                            Boarding::Ours(flight) => if let Some(slot) = free.take() {
                                // One whose verdict is fixed goes to no worker.
                                dispatched += u64::from(mark::verdict_fixed(&object).is_none());
                                reporter.dispatched();
                                in_flight.push(async move {
                                    let walked = if flight.is_settled() {
                                        way.walk_if_there(object, slot).await
                                    } else {
                                        way.walk(object, slot).await
                                    };
                                    walked.land(flight);
                                    walked
                                });
                            },
                        }
                    }
                }
            },
            // Others may hold all slots, the listener be behind, or the listing hang, for longer than this poll has.
            () = &mut over, if end.is_none() => end = Some(Ok(EndReason::Deadline)),
            else => break,
        }
        if is_spent || end.is_some() || reporter.is_behind() {
            // Whoever waits for a slot gets it.
            free = None;
        }
        if let Some(Err(_)) = end {
            course.closing.cancel();
        }
    }
    end.unwrap_or(Ok(EndReason::Complete))
}

fn elsewhere() -> Skip {
    Skip {
        filter: Filter::InFlight,
        detail: "an event or a task for it is at work".into(),
    }
}

fn refused() -> Skip {
    Skip {
        filter: Filter::NotDue,
        detail: "storage refuses to move it, and takes no note of that".into(),
    }
}

/// Reports an object that reached its end; an error is one that ends the poll.
fn report(walked: Walked, reporter: &mut Reporter) -> Result<(), PollError> {
    let (settled, error) = match walked.settled {
        Ok(settled) => (settled, None),
        Err(error) => (Settled::stopped(&error), Some(error)),
    };
    reporter.settled(&walked.object, settled, walked.took);
    error.map_or(Ok(()), Err)
}

// === impl Ends ===

impl Ends {
    /// Why nothing new may be dispatched any more.
    async fn interrupted(&self, listener: impl Future<Output = ()>) -> EndReason {
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => EndReason::Shutdown,
            () = self.lost.cancelled() => EndReason::LeaseLost,
            () = listener => EndReason::Cancelled,
        }
    }

    /// Ends when calls in flight are to be given up after a shutdown.
    pub(crate) async fn grace(shutdown: &CancellationToken) {
        shutdown.cancelled().await;
        sleep(GRACE).await;
    }
}
