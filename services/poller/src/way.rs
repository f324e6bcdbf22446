//! The way of one object: dispatch, verdict, again if need be, settle.

mod placing;

use std::time::Duration;

use brigade_client::answer::Answer;
use brigade_proto::v1::Settlement;
use brigade_storage::Object;
use tokio::time::Instant;

use crate::{
    dispatch::dispatch,
    error::PollError,
    flight::Flight,
    mark::{self, Fixed},
    one::{Landed, ObjectResult, land},
    poll::{Course, Parts, Slot},
    report::Settled,
    retry,
    tasks::{Enqueued, Queue},
    tries::{Next, Tries},
    verdict::{Blame, Retry, Verdict, verdict},
};

/// An object at its way's end.
pub(crate) struct Walked {
    pub(crate) object: Object,
    pub(crate) took: Duration,
    /// An error is one that every other object would meet too.
    pub(crate) settled: Result<Settled, PollError>,
}

/// Takes objects from listing to settlement.
#[derive(Clone, Copy)]
pub(crate) struct ObjectPipeline<'a> {
    parts: &'a Parts,
    course: &'a Course,
    /// Where objects go instead of to the worker.
    queue: Option<&'a dyn Queue>,
}

// === impl ObjectPipeline ===

impl<'a> ObjectPipeline<'a> {
    /// The way of an object that a poll has found.
    pub(crate) fn new(parts: &'a Parts, course: &'a Course) -> Self {
        Self {
            queue: parts.queue.as_deref(),
            ..Self::one(parts, course)
        }
    }

    /// The way of an object that an event or a task named: to the worker in any case.
    pub(crate) fn one(parts: &'a Parts, course: &'a Course) -> Self {
        Self {
            parts,
            course,
            queue: None,
        }
    }

    /// The whole way of an object that a poll has found, to where whoever waits for it is told its end.
    pub(crate) async fn fly(self, object: Object, flight: Flight<Landed>, slot: Slot) -> Walked {
        let walked = if flight.is_settled() {
            self.walk_if_there(object, slot).await
        } else {
            self.walk(object, slot).await
        };
        walked.land(flight);
        walked
    }

    /// The whole way of one object, which begins with a slot of its own.
    pub(crate) async fn walk(self, object: Object, slot: Slot) -> Walked {
        let began = Instant::now();
        let settled = self.settled(&object, slot).await;
        Walked {
            object,
            took: began.elapsed(),
            settled,
        }
    }

    /// The same for an object that this instance has settled before: a listing may be older than that.
    async fn walk_if_there(self, object: Object, slot: Slot) -> Walked {
        let began = Instant::now();
        let source = &self.parts.settler.source;
        let settled = match retry::reading(|| source.get(&object.name)).await {
            Ok(found) if found.generation == object.generation => self.settled(&object, slot).await,
            Ok(_) => Ok(superseded()),
            Err(error) if error.is_not_found() => Ok(superseded()),
            Err(error) => Err(error.into()),
        };
        Walked {
            object,
            took: began.elapsed(),
            settled,
        }
    }

    async fn settled(self, object: &Object, mut slot: Slot) -> Result<Settled, PollError> {
        if self.course.plan.dry_run {
            return Ok(Settled::new(Settlement::Planned));
        }
        if let Some(fixed) = mark::verdict_fixed(object) {
            let placed = self.parts.settler.complete(object).await;
            return self.placed(object, Settled::of(&fixed), placed).await;
        }
        if let Some(queue) = self.queue {
            return self.enqueued(queue, object, slot).await;
        }
        let mut tries = Tries::of(object, &self.parts.budgets);
        loop {
            let (answer, call_time) = self.ask(object, tries.next_attempt()).await;
            let code = answer.as_ref().and_then(status_code);
            let retry = match answer.map(verdict) {
                None => cut_short(),
                Some(Verdict::Stop(stop)) => return Err(PollError::Stopped(stop)),
                Some(Verdict::Retry(retry)) => retry,
                Some(Verdict::Processed(response)) => {
                    let mut settled = Settled::new(Settlement::Processed).with(code);
                    settled.summary = response.summary;
                    settled.outputs = response.outputs;
                    settled.labels = response.labels;
                    let placed = self.parts.settler.processed(object).await;
                    return self.placed(object, settled, placed).await;
                }
                Some(Verdict::Failed(reason)) => {
                    let attempts = tries.next_attempt();
                    return self.failed(object, &reason, attempts, code).await;
                }
            };
            let whole = self.course.plan.is_whole(call_time);
            let (pause, later) = match tries.after(&retry, whole) {
                Next::GiveUp { reason } => {
                    return self.failed(object, &reason, tries.attempts(), code).await;
                }
                Next::Pause(pause) => (pause, false),
                Next::Later(pause) => (pause, true),
            };
            self.count(&retry)?;
            let next = if later {
                None
            } else {
                self.course.pause(slot, pause).await
            };
            match next {
                Some(again) => slot = again,
                None => return self.leave(object, &tries, &retry, pause, code).await,
            }
        }
    }

    /// Puts an object into the queue, whose task has it settled.
    async fn enqueued(
        self,
        queue: &dyn Queue,
        object: &Object,
        mut slot: Slot,
    ) -> Result<Settled, PollError> {
        let mut tries = Tries::of(object, &self.parts.budgets);
        loop {
            let time = self.course.plan.call_time();
            let enqueued = if time.is_zero() {
                Enqueued::Again(cut_short())
            } else {
                tokio::select! {
                    biased;
                    enqueued = queue.enqueue(object, time) => enqueued,
                    () = self.course.cut.cancelled() => Enqueued::Again(cut_short()),
                }
            };
            let retry = match enqueued {
                Enqueued::Stop(stop) => return Err(PollError::Stopped(stop)),
                Enqueued::Again(retry) => retry,
                Enqueued::Created | Enqueued::Exists => {
                    self.course.worker.success();
                    return Ok(match enqueued {
                        Enqueued::Created => Settled::new(Settlement::Enqueued),
                        _ => Settled::new(Settlement::AlreadyEnqueued)
                            .because("its task exists, or ended within about the last hour"),
                    });
                }
            };
            self.count(&retry)?;
            let next = match tries.after(&retry, true) {
                Next::Pause(pause) => self.course.pause(slot, pause).await,
                Next::Later(_) | Next::GiveUp { .. } => None,
            };
            match next {
                Some(again) => slot = again,
                None => return Ok(Settled::new(Settlement::Retry).because(&retry.why)),
            }
        }
    }

    /// Asks the worker, and says how long it could take. No answer when the service shuts down before there is one,
    /// or when the poll's time is up.
    async fn ask(self, object: &Object, attempt: u32) -> (Option<Answer>, Duration) {
        let time = self.course.plan.call_time();
        if time.is_zero() {
            return (None, time);
        }
        let answer = tokio::select! {
            biased;
            answer = dispatch(&*self.parts.worker, object, attempt, time) => answer,
            () = self.course.cut.cancelled() => return (None, time),
        };
        if let Answer::Worker(_) = answer {
            self.course.worker.success();
        }
        (Some(answer), time)
    }

    /// Lets the breaker know of a failure on the way.
    fn count(self, retry: &Retry) -> Result<(), PollError> {
        let breaker = &self.course.worker;
        if retry.blame == Blame::Transport && breaker.failure() {
            return Err(PollError::WorkerAway {
                failures: breaker.limit(),
                last: retry.why.clone(),
            });
        }
        Ok(())
    }

    async fn failed(
        self,
        object: &Object,
        reason: &str,
        attempts: u32,
        code: Option<i32>,
    ) -> Result<Settled, PollError> {
        let placed = self.parts.settler.failed(object, reason, attempts).await;
        let settled = Settled::new(Settlement::Failed).because(reason).with(code);
        self.placed(object, settled, placed).await
    }

    /// Leaves an object for a later poll, with its attempts written on it when there were new ones.
    async fn leave(
        self,
        object: &Object,
        tries: &Tries,
        retry: &Retry,
        pause: Duration,
        code: Option<i32>,
    ) -> Result<Settled, PollError> {
        let mut left = Settled::new(Settlement::Retry)
            .because(&retry.why)
            .with(code);
        left.again_in = Some(pause);
        if !tries.has_news() {
            return Ok(left);
        }
        let settler = &self.parts.settler;
        let marked = settler
            .postponed(object, &retry.why, tries.attempts(), pause)
            .await;
        match marked {
            Ok(true) => Ok(left),
            Ok(false) => Ok(superseded()),
            Err(error) if error.needs_fix() => Err(error.into()),
            // The attempt is asked for once more than it should be; that is all.
            Err(error) => {
                tracing::warn!(%error, "an attempt could not be written on its object");
                Ok(left)
            }
        }
    }
}

// === impl Walked ===

impl Walked {
    /// Whether it counts for nothing among the objects that a poll may take on.
    pub(crate) fn is_free(&self) -> bool {
        let settled = self.settled.as_ref();
        settled.is_ok_and(|settled| settled.settlement == Settlement::AlreadyEnqueued)
    }

    /// Tells whoever waits for this object what it came to. An object that is a task now has not come to its end: they
    /// begin anew.
    fn land(&self, flight: Flight<Landed>) {
        let end = match &self.settled {
            Err(error) => Err(error.clone()),
            Ok(settled) => {
                if settled.is_unwritten {
                    flight.put_off();
                }
                match ObjectResult::of(&self.object, settled, self.took) {
                    Some(one) => Ok(one),
                    None => return,
                }
            }
        };
        land(flight, end);
    }
}

// === impl Settled ===

impl Settled {
    fn new(settlement: Settlement) -> Self {
        Self {
            settlement,
            status_code: None,
            reason: String::new(),
            destination: String::new(),
            summary: String::new(),
            outputs: Vec::new(),
            labels: std::collections::HashMap::new(),
            again_in: None,
            is_unwritten: false,
        }
    }

    /// What is written on an object.
    fn of(fixed: &Fixed) -> Self {
        match fixed {
            Fixed::Processed => Self::new(Settlement::Processed),
            Fixed::Failed(reason) => Self::new(Settlement::Failed).because(reason),
        }
    }

    fn because(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }

    fn with(mut self, code: Option<i32>) -> Self {
        self.status_code = code;
        self
    }

    /// The object that met an error which every other one would meet too.
    pub(crate) fn stopped(error: &PollError) -> Self {
        Self::new(Settlement::Stopped).because(&error.to_string())
    }
}

fn superseded() -> Settled {
    Settled::new(Settlement::Superseded)
        .because("it was replaced, removed or settled by somebody else meanwhile")
}

/// The poll ended before the worker had its time.
fn cut_short() -> Retry {
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
