//! What is written on an object that stays for now.

use std::{sync::Arc, time::Duration};

use brigade_storage::{Error, Metadata, Object};
use jiff::{SignedDuration, Timestamp};

use super::{
    ObjectPipeline,
    subject::{Step, Subject},
};
use crate::{
    dispatch::NoTurn,
    error::PollError,
    instance::Slot,
    losses::How,
    mark::{self, Failure, LOST_CALLS},
    outcome::{Outcome, RETRY_SOON},
    verdict::{Blame, Retry},
};

/// An object that was lost as often as is kept is asked about no oftener than this.
const OFTEN_LOST: SignedDuration = SignedDuration::from_mins(10);

impl ObjectPipeline<'_> {
    /// Leaves the object for a later poll.
    pub(super) async fn leave(
        self,
        subject: &mut Subject,
        retry: &Retry,
        pause: Duration,
        code: Option<i32>,
    ) -> Result<Outcome, PollError> {
        let mut outcome = subject.left(retry).with_status(code);
        outcome.retry_after = Some(pause.max(RETRY_SOON));
        if retry.blame == Blame::Storage && !self.record_attempt(subject, retry, pause).await? {
            return Ok(Outcome::superseded(&subject.object));
        }
        Ok(outcome)
    }

    /// Leaves an object about which the worker could not be asked.
    pub(super) fn leave_without_turn(subject: &Subject, why: NoTurn) -> Result<Outcome, PollError> {
        let retry = |after, why: &str| {
            let retry = Retry { after, blame: Blame::Poll, why: why.to_owned() };
            let mut outcome = subject.left(&retry);
            outcome.retry_after = after;
            outcome
        };
        Ok(match why {
            NoTurn::Later(None) => retry(None, "the poll ended before the worker could be asked"),
            NoTurn::Later(after) => retry(after, "the worker asked for time"),
            NoTurn::Braked => {
                retry(None, "the inbox's brake is on: the worker refused many objects in a row")
            }
            NoTurn::Away { failures, last } => {
                return Err(PollError::WorkerAway { failures, last });
            }
        })
    }

    /// Writes an attempt on its object, and when the next one is due. Whether the object is still there.
    pub(super) async fn record_attempt(
        self,
        subject: &mut Subject,
        retry: &Retry,
        pause: Duration,
    ) -> Result<bool, PollError> {
        let (object, why, attempts) = (&subject.object, &retry.why, subject.attempts.attempts());
        let due = self.due(pause);
        let mark = match subject.attempts.unread_since() {
            Some(since) => mark::unread(object, why, attempts, since, due),
            None => mark::retry(object, why, attempts, due),
        };
        self.record(subject, &mark, |_| {}).await
    }

    /// The object's call was lost: notes it, and asks again after all others, or in a later poll.
    pub(super) async fn lost(
        self,
        subject: &mut Subject,
        why: &str,
        was_alone: bool,
        slot: Slot,
    ) -> Result<Step, PollError> {
        let max = self.instance.config.budgets.max_losses;
        let how = subject.losses.last().map(|loss| loss.how);
        if let Some(reason) = subject.losses.verdict(max, why)
            && (how == Some(How::Counted) || self.comes_back().await)
        {
            let attempts = subject.attempts.attempts();
            let failure = Failure::default().of_kind(LOST_CALLS, reason);
            return Ok(Step::done(self.fail(subject, &failure, attempts, None).await?));
        }
        log(subject, was_alone);
        let often = self.instance.clock.now().checked_add(OFTEN_LOST).ok();
        let due = often.filter(|_| subject.losses.is_full());
        let attempts = subject.attempts.attempts();
        let mark = mark::lost(&subject.object, why, attempts, &subject.losses, due);
        let remember = |subject: &Subject| {
            let losses = subject.losses.clone();
            self.instance.dispatcher.remember_losses(&subject.key, losses);
        };
        if !self.record(subject, &mark, remember).await? {
            return Ok(Step::done(Outcome::superseded(&subject.object)));
        }
        if !was_alone && !self.run.is_named {
            return Ok(Step::Again(slot));
        }
        let retry = Retry { after: None, blame: Blame::Lost, why: why.to_owned() };
        Ok(Step::done(subject.left(&retry)))
    }

    fn due(self, pause: Duration) -> Timestamp {
        let now = self.instance.clock.now();
        now.checked_add(pause).unwrap_or(now)
    }

    /// Writes a mark on the object; `otherwise` when storage does not take it. Whether the object is still there.
    async fn record(
        self,
        subject: &mut Subject,
        mark: &Metadata,
        otherwise: impl FnOnce(&Subject),
    ) -> Result<bool, PollError> {
        let marked: Result<Option<Object>, Error> =
            self.instance.settler.record(&subject.object, mark).await;
        match marked {
            Ok(Some(marked)) => {
                subject.object = Arc::new(marked);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) if error.needs_fix() => Err(error.into()),
            // The worker is asked once more than it should be; that is all.
            Err(error) => {
                tracing::warn!(%error, "could not write an attempt on its object");
                otherwise(subject);
                Ok(true)
            }
        }
    }
}

fn log(subject: &Subject, was_alone: bool) {
    let object = subject.object.uri();
    let (generation, losses) = (subject.object.generation, subject.losses.to_string());
    if was_alone {
        tracing::warn!(
            object,
            generation,
            losses,
            "a call was lost while no other was in flight: the object may end the worker"
        );
    } else {
        tracing::info!(
            object,
            generation,
            losses,
            "a call was lost beside others: the object is asked about again after them"
        );
    }
}
