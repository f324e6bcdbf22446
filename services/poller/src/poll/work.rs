//! The loop of a poll: keeps objects on their way until the listing or a budget ends.

use std::{pin::pin, time::Duration};

use brigade_proto::v1::{EndReason, Filter};
use brigade_storage::{Error as StorageError, Object};
use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Parts, course::Course};
use crate::{
    error::PollError,
    filter::Skip,
    flight::{Boarding, Flight, Flights},
    mark,
    one::Landed,
    report::{Reporter, Settled},
    scan::scan,
    way::{ObjectPipeline, Walked},
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

/// What a poll has taken on, and why it takes on no more.
struct Round<'a> {
    parts: &'a Parts,
    flights: &'a Flights<Landed>,
    course: &'a Course,
    reporter: &'a mut Reporter,
    /// Objects handed to the worker, or to the queue.
    dispatched: u64,
    end: Option<Result<EndReason, PollError>>,
}

/// What becomes of an object that was listed.
enum Considered {
    /// It is no work, or not now.
    Skip(Skip),
    /// It is work, and this poll takes on no more.
    End(EndReason),
    /// It is ours.
    Board(Flight<Landed>),
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
    let way = ObjectPipeline::new(parts, course);
    let prefix = course.plan.prefix.clone();
    let mut listing = pin!(scan(parts.settler.source.clone(), prefix));
    let mut in_flight = FuturesUnordered::new();
    let mut interrupted = pin!(ends.interrupted(reporter.unheard()));
    let mut grace = pin!(Ends::grace(&ends.shutdown));
    let mut over = pin!(sleep(course.plan.left()));
    let mut free = None;
    let mut round = Round {
        parts,
        flights,
        course,
        reporter,
        dispatched: 0,
        end: None,
    };
    while round.end.is_none() || !in_flight.is_empty() {
        let begins = round.begins(in_flight.is_empty());
        if !begins {
            // Whoever waits for a slot gets it.
            free = None;
        }
        tokio::select! {
            biased;
            () = &mut grace, if !course.cut.is_cancelled() => course.cut.cancel(),
            reason = &mut interrupted, if !course.closing.is_cancelled() => round.interrupted(reason),
            Some(walked) = in_flight.next() => round.landed(walked),
            () = round.reporter.catch_up(), if round.reporter.is_behind() => {}
            slot = course.slots.clone().acquire_owned(), if begins && free.is_none() => free = slot.ok(),
            next = listing.next(), if begins && free.is_some() => {
                if let Some((object, flight)) = round.listed(next)
                    && let Some(slot) = free.take()
                {
                    in_flight.push(way.fly(object, flight, slot));
                }
            }
            // Others may hold all slots, the listener be behind, or the listing hang, for longer than this poll has.
            () = &mut over, if round.end.is_none() => round.end = Some(Ok(EndReason::Deadline)),
            else => break,
        }
    }
    round.end.unwrap_or(Ok(EndReason::Complete))
}

// === impl Round ===

impl Round<'_> {
    /// Whether anything more may be taken on.
    fn begins(&self, is_idle: bool) -> bool {
        // What is a task already counts for nothing, and what is on its way into the queue may be one.
        let may_count_less = self.parts.queue.is_some() && !is_idle;
        let is_spent = self.dispatched >= self.course.plan.max_objects && may_count_less;
        self.end.is_none() && !self.reporter.is_behind() && !is_spent
    }

    fn interrupted(&mut self, reason: EndReason) {
        self.course.closing.cancel();
        tracing::info!(
            reason = reason.as_str_name(),
            "the poll ends early: nothing new is dispatched"
        );
        let broken = self.end.take().filter(Result::is_err);
        self.end = Some(broken.unwrap_or(Ok(reason)));
    }

    /// Reports an object that reached its end; an error is one that ends the poll.
    fn landed(&mut self, walked: Walked) {
        self.dispatched -= u64::from(walked.is_free());
        let settled = walked.settled.unwrap_or_else(|error| {
            let stopped = Settled::stopped(&error);
            self.broken(error);
            stopped
        });
        self.reporter.settled(&walked.object, settled, walked.took);
    }

    /// What the listing has next, if it is to be walked.
    fn listed(
        &mut self,
        next: Option<Result<Object, StorageError>>,
    ) -> Option<(Object, Flight<Landed>)> {
        let object = match next {
            None => {
                self.end = Some(Ok(EndReason::Complete));
                return None;
            }
            Some(Err(error)) => {
                self.broken(error.into());
                return None;
            }
            Some(Ok(object)) => object,
        };
        self.reporter.listed();
        match self.consider(&object) {
            Considered::Skip(skip) => {
                let explain = self.course.plan.explain;
                self.reporter.skipped(&object, skip, explain);
                None
            }
            Considered::End(reason) => {
                self.end = Some(Ok(reason));
                None
            }
            Considered::Board(flight) => {
                self.dispatched += u64::from(needs_word(&object));
                self.reporter.dispatched();
                Some((object, flight))
            }
        }
    }

    fn consider(&self, object: &Object) -> Considered {
        let (plan, now) = (&self.course.plan, self.parts.clock.now());
        if let Some(skip) = self.parts.filters.skip(object, now) {
            return Considered::Skip(skip);
        }
        if self.dispatched >= plan.max_objects && needs_word(object) {
            return Considered::End(EndReason::MaxObjects);
        }
        if plan.is_over_in(Duration::ZERO) {
            return Considered::End(EndReason::Deadline);
        }
        match self.flights.board(&object.name, object.generation) {
            Boarding::Theirs(_) => Considered::Skip(Skip {
                filter: Filter::InFlight,
                detail: "an event or a task for it is at work".into(),
            }),
            Boarding::Ours(flight) if flight.is_put_off() => Considered::Skip(Skip {
                filter: Filter::NotDue,
                detail: "storage refuses to move it, and takes no note of that".into(),
            }),
            Boarding::Ours(flight) => Considered::Board(flight),
        }
    }

    /// The poll cannot go on.
    fn broken(&mut self, error: PollError) {
        self.course.closing.cancel();
        self.end = Some(Err(error));
    }
}

/// Whether an object has to go to the worker, as one whose verdict is fixed does not.
fn needs_word(object: &Object) -> bool {
    mark::verdict_fixed(object).is_none()
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
