//! One object, named by an event or a task: the same way as in a poll, and fenced by the generation that was named.

use std::{pin::pin, time::Duration};

use brigade_proto::v1::{Filter, ObjectSettled, PollRequest, Settlement};
use brigade_storage::{Object, object::escape};
use futures::future::Either;
use tokio::time::timeout;
use tracing::{Instrument as _, info};

use crate::{
    error::PollError,
    filter::Skip,
    flight::{Boarding, Flight},
    mark,
    poll::{Course, Ends, Plan, Poller, Slot, Trigger},
    report::{self, Settled},
    retry,
    way::ObjectPipeline,
};

/// How soon an object is to be tried again that found no place among those in flight, or that a shutdown cut short.
const SOON: Duration = Duration::from_secs(1);

/// An object as somebody else names it. Nothing is known of it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRef {
    /// Its bucket.
    pub bucket: String,
    /// Its whole name.
    pub name: String,
    /// Its generation; the live one when nobody says.
    pub generation: Option<i64>,
}

/// What became of an object that was named.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectResult {
    /// It is no work of ours, or not now: nothing was done, and the sweep takes it if that changes.
    Ignored(Ignored),
    /// It has its outcome; superseded is one too.
    Settled(Box<ObjectSettled>),
    /// It stays in the inbox and is to be sent again.
    Retry {
        /// After this long at the earliest.
        after: Duration,
        /// Why, for people.
        why: String,
    },
}

/// Why an object is no work of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// It lies in another bucket, or outside of the inbox.
    Elsewhere,
    /// A filter left it out.
    Filtered(Skip),
}

/// How a flight ends, for whoever waits for it.
pub(crate) type Landed = Result<ObjectResult, PollError>;

impl Poller {
    /// Takes one object through dispatch, verdict and settlement.
    ///
    /// The worker is called once: whoever named the object has a queue that sends it again. Attempts and the time when the
    /// next one is due are kept on the object, as in a poll. Whoever names an object that is at work on this instance
    /// already waits for it, and gets its end. Dropping the future leaves an object at work that has a slot, and nothing else.
    ///
    /// # Errors
    /// When something has to be mended first, or the storage is away. Nothing was moved on account of it.
    pub async fn process_object(
        &self,
        named: ObjectRef,
        trigger: Trigger,
    ) -> Result<ObjectResult, PollError> {
        let filters = &self.parts.filters;
        if !filters.inbox.holds(&named.bucket, &named.name) {
            return Ok(ObjectResult::Ignored(Ignored::Elsewhere));
        }
        if let Some(skip) = filters.skip_name(&named.name) {
            return Ok(ObjectResult::Ignored(Ignored::Filtered(skip)));
        }
        let generation = match named.generation {
            Some(generation) => generation,
            None => match self.look(&named.name).await? {
                Some(found) => found.generation,
                None => return Ok(superseded(&named)),
            },
        };
        loop {
            match self.shared.flights.board(&named.name, generation) {
                Boarding::Theirs(waiting) => {
                    if let Some(end) = waiting.landed().await {
                        return end;
                    }
                }
                Boarding::Ours(flight) => {
                    let span = trigger.span(&named);
                    // Nothing is changed yet, and a caller that goes away leaves no task behind that waits for a slot.
                    let ready = self.ready(&named, generation, &trigger);
                    let (object, slot) = match ready.instrument(span.clone()).await {
                        Ok(ready) => ready,
                        Err(end) => {
                            land(flight, end.clone());
                            return end;
                        }
                    };
                    let (poller, trigger) = (self.clone(), trigger.clone());
                    let flown = async move {
                        let end = poller.take(object, slot, &trigger).await;
                        land(flight, end.clone());
                        end
                    };
                    // A caller that goes away leaves no object half settled.
                    let flown = self.running.spawn(flown.instrument(span));
                    return flown.await.unwrap_or_else(|_| Ok(interrupted()));
                }
            }
        }
    }

    /// The live object of this name.
    async fn look(&self, name: &str) -> Result<Option<Object>, PollError> {
        let source = &self.parts.settler.source;
        match retry::reading(|| source.get(name)).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The object, when it is work, and a slot for it; its end when it is not, or there is no slot in time.
    async fn ready(
        &self,
        named: &ObjectRef,
        generation: i64,
        trigger: &Trigger,
    ) -> Result<(Object, Slot), Landed> {
        let parts = &*self.parts;
        let found = self.look(&named.name).await.map_err(Err)?;
        let Some(object) = found.filter(|found| found.generation == generation) else {
            info!("superseded: that generation is not there any more");
            return Err(Ok(superseded(named)));
        };
        let now = parts.clock.now();
        if let Some(skip) = parts.filters.skip_at_any_age(&object, now) {
            info!(filter = skip.filter.as_str_name(), detail = %escape(&skip.detail), "left out by a filter");
            return Err(Ok(
                match mark::due(&object).filter(|_| skip.filter == Filter::NotDue) {
                    Some(due) => ObjectResult::Retry {
                        after: Duration::try_from(due.duration_since(now)).unwrap_or(SOON),
                        why: match mark::verdict_fixed(&object) {
                            Some(_) => format!("storage refused to move it: it is {}", skip.detail),
                            None => format!("its worker asked for time: it is {}", skip.detail),
                        },
                    },
                    None => ObjectResult::Ignored(Ignored::Filtered(skip)),
                },
            ));
        }
        let patience = trigger.deadline.unwrap_or(Duration::MAX);
        let room = self.shared.slots.clone().acquire_owned();
        let room = timeout(patience.min(parts.budgets.poll_deadline), room);
        let mut shutdown = pin!(self.shutdown.cancelled());
        match futures::future::select(pin!(room), &mut shutdown).await {
            Either::Left((Ok(Ok(slot)), _)) => Ok((object, slot)),
            Either::Left(_) | Either::Right(_) => Err(Ok(interrupted())),
        }
    }

    /// The way of an object that is work, in a slot of its own. Its time begins here: what it waited for a slot says
    /// nothing about the worker.
    async fn take(&self, object: Object, slot: Slot, trigger: &Trigger) -> Landed {
        let parts = &*self.parts;
        let plan = Plan::of(parts, &PollRequest::default(), trigger)?;
        let course = Course::new(plan, self.shared.slots.clone(), parts.budgets.breaker);
        // No pauses here: the sender has a queue that waits better.
        course.closing.cancel();
        let mut walk = pin!(ObjectPipeline::one(parts, &course).walk(object, slot));
        let walked = tokio::select! {
            biased;
            walked = &mut walk => walked,
            () = Ends::grace(&self.shutdown) => {
                course.cut.cancel();
                walk.await
            }
        };
        let settled = walked.settled?;
        let told = report::settled(&walked.object, settled.clone(), walked.took);
        if let Some(observer) = &parts.observer {
            report::observed(observer, told);
        }
        Ok(ObjectResult::of(&walked.object, &settled, walked.took).unwrap_or_else(interrupted))
    }
}

/// Tells whoever waits for an object what it came to, and remembers one that was moved.
pub(crate) fn land(flight: Flight<Landed>, end: Landed) {
    let is_moved = end.as_ref().is_ok_and(ObjectResult::is_moved);
    if is_moved {
        flight.settle(end);
    } else {
        flight.land(end);
    }
}

// === impl One ===

impl ObjectResult {
    /// Whether it was moved out of the inbox. One that was superseded may lie there still, with somebody else's verdict on it.
    fn is_moved(&self) -> bool {
        let Self::Settled(settled) = self else {
            return false;
        };
        matches!(
            settled.settlement(),
            Settlement::Processed | Settlement::Failed
        )
    }

    /// What a settlement is to whoever named the object; nothing when it has none yet.
    pub(crate) fn of(object: &Object, settled: &Settled, took: Duration) -> Option<Self> {
        match settled.settlement {
            Settlement::Processed
            | Settlement::Failed
            | Settlement::Superseded
            | Settlement::Held => {
                let told = report::told(object, settled.clone(), took);
                Some(Self::Settled(Box::new(told)))
            }
            Settlement::Retry => Some(Self::Retry {
                after: settled.again_in.unwrap_or(SOON),
                why: settled.reason.clone(),
            }),
            Settlement::Enqueued
            | Settlement::AlreadyEnqueued
            | Settlement::Planned
            | Settlement::Stopped
            | Settlement::Unspecified => None,
        }
    }
}

/// Somebody else was there before, or the name has a new generation, which has an event of its own.
fn superseded(named: &ObjectRef) -> ObjectResult {
    ObjectResult::Settled(Box::new(ObjectSettled {
        object: Some(brigade_proto::v1::Object {
            bucket: named.bucket.clone(),
            name: named.name.clone(),
            generation: named.generation.unwrap_or_default(),
            ..Default::default()
        }),
        settlement: Settlement::Superseded.into(),
        reason: "it was settled already, or replaced or removed meanwhile".into(),
        ..Default::default()
    }))
}

fn interrupted() -> ObjectResult {
    ObjectResult::Retry {
        after: SOON,
        why: "this instance is shutting down, or has too much to do".into(),
    }
}
