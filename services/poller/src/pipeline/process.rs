//! Asks the worker about one object until there is a verdict, or the object is left for a later poll.

use std::sync::Arc;

use brigade_client::answer::Answer;
use brigade_proto::v1::Settlement;
use brigade_storage::Object;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{
    ObjectPipeline, SettleSpan, poll_ended,
    subject::{Step, Subject},
    turn::Sent,
};
use crate::{
    attempts::{AttemptPolicy, Circumstances, Decision},
    dispatch::{Asked, BrakeChange, Ruling, request},
    error::PollError,
    instance::Slot,
    mark::{self, Failure, STORAGE_UNAVAILABLE},
    metrics,
    outcome::Outcome,
    spans,
    verdict::{Blame, Retry, verdict},
};

/// "In the last day".
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// An answer, and what is known of its call.
struct Answered {
    code: Option<i32>,
    /// What is known of it as a failure.
    failure: Failure,
    had_full_time: bool,
    ruling: Ruling,
    was_alone: bool,
}

impl<'a> ObjectPipeline<'a> {
    pub(super) async fn process(
        self,
        object: &Arc<Object>,
        mut slot: Slot,
    ) -> Result<Outcome, PollError> {
        let key = (object.name.clone(), object.generation);
        let remembered = self.instance.dispatcher.remembered_losses(&key);
        let mut subject = Subject {
            attempts: AttemptPolicy::for_object(object, &self.instance.config.budgets),
            losses: remembered.unwrap_or_else(|| mark::losses(object)),
            object: object.clone(),
            key,
        };
        loop {
            let (sent, taken) = match self.turn(&subject, slot).await {
                Ok(sent) => sent,
                Err(why) => return Self::leave_without_turn(&subject, why),
            };
            let Some(answered) = self.ask(&subject, sent).await else {
                return Ok(subject.left(&poll_ended()));
            };
            match self.follow(&mut subject, answered, taken).await? {
                Step::Done(outcome) => return Ok(*outcome),
                Step::Again(taken) => slot = taken,
            }
        }
    }

    /// Nothing when the poll's time is up, or when the service shuts down before there is an answer.
    async fn ask(self, subject: &Subject, sent: Sent<'a>) -> Option<Answered> {
        let Sent { mut turn, was_healthy, alone_for, .. } = sent;
        let time = self.run.plan.call_time();
        if time.is_zero() || self.run.is_too_late(true) {
            return None;
        }
        let dispatcher = &self.instance.dispatcher;
        let inbox = &self.instance.config.inbox;
        let request = request(inbox, &subject.object, subject.attempts.next_attempt());
        let (object, attempts) = (subject.object.clone(), subject.attempts.attempts());
        let _call = self.instance.activity.begin_call(object, attempts);
        let span = spans::attempt(subject.attempts.next_attempt());
        let began = Instant::now();
        let answer = tokio::select! {
            biased;
            answer = span.around(dispatcher.ask(&mut turn, request, time, alone_for)) => answer,
            () = self.run.abort_calls.cancelled() => return None,
        };
        let (code, failure) = (status_code(&answer), Failure::from_answer(&answer));
        let was_alone = turn.is_alone();
        let asked = Asked {
            object: &subject.key,
            bucket: &subject.object.bucket,
            attempts: subject.attempts.attempts(),
            losses: &subject.losses,
            was_healthy,
            took: began.elapsed(),
            now: self.instance.clock.now(),
        };
        let took = asked.took;
        metrics::processed(dispatcher.protocol(), answer.name(), took);
        let (ruling, brake) = dispatcher.judge(turn, asked, verdict(answer));
        match &ruling {
            Ruling::Processed(_) => self.instance.call_times.record(took),
            Ruling::Failed(why) | Ruling::Lost(_, why) => span.fail(why),
            // A full worker is no failure.
            Ruling::Retry(retry) if retry.blame == Blame::Busy => {}
            Ruling::Retry(retry) => span.fail(&retry.why),
            Ruling::Stop(stop) => span.fail(stop),
        }
        self.change_brake(brake).await;
        let had_full_time = self.run.plan.is_full_call(time);
        Some(Answered { code, failure, had_full_time, ruling, was_alone })
    }

    /// Writes what the answer means for all objects, so that other instances know it.
    async fn change_brake(self, change: BrakeChange) {
        let (brake, dispatcher) = (&self.instance.brake, &self.instance.dispatcher);
        match change {
            BrakeChange::None => {}
            BrakeChange::Lift if !brake.is_on() && !dispatcher.is_braked() => {}
            BrakeChange::Lift => {
                brake.lift().await;
                dispatcher.restart_streak(self.instance.config.budgets.max_refusals);
                tracing::info!("the worker accepted an object again: the inbox's brake is lifted");
            }
            BrakeChange::PutOn { reasons, prefixes } => {
                let on = brake.put_on(reasons, prefixes, &*self.instance.clock).await;
                if !dispatcher.is_braked() {
                    // An object was accepted meanwhile.
                    brake.lift().await;
                    return;
                }
                tracing::warn!(
                    until = %on.until,
                    probe = on.probe(),
                    reasons = on.summary(),
                    "the worker refused many different objects in a row and accepted none: the inbox's brake is on; fix the \
                     worker; a Poll with ignore_brake lifts the brake at once"
                );
            }
        }
    }

    async fn follow(
        self,
        subject: &mut Subject,
        answered: Answered,
        slot: Slot,
    ) -> Result<Step, PollError> {
        let Answered { code, failure, had_full_time, ruling, was_alone } = answered;
        let settler = &self.instance.settler;
        let done = match ruling {
            Ruling::Stop(stop) => return Err(PollError::Stopped(stop)),
            Ruling::Processed(response) => {
                let outcome = Outcome::accepted(&subject.object, response).with_status(code);
                let settling = SettleSpan::begin(Settlement::Processed);
                let outputs = &outcome.settled.outputs;
                let placed =
                    settling.span.around(settler.processed(&subject.object, outputs)).await;
                let placed = settling.end(placed);
                self.place(&subject.object, outcome, placed).await?
            }
            Ruling::Failed(reason) => {
                let attempts = subject.attempts.next_attempt();
                let failure = failure.because(reason.clone(), &reason, &subject.object.name);
                self.fail(subject, &failure, attempts, code).await?
            }
            Ruling::Lost(losses, why) => {
                metrics::record_loss();
                metrics::attempted(Blame::Lost);
                subject.losses = losses;
                return self.lost(subject, &why, was_alone, slot).await;
            }
            Ruling::Retry(retry) => {
                return self.again(subject, &retry, had_full_time, code, failure, slot).await;
            }
        };
        Ok(Step::done(done))
    }

    /// Counts the attempt if it is one, and asks again when its pause is over.
    async fn again(
        self,
        subject: &mut Subject,
        retry: &Retry,
        had_full_time: bool,
        code: Option<i32>,
        failure: Failure,
        slot: Slot,
    ) -> Result<Step, PollError> {
        metrics::attempted(retry.blame);
        let before = subject.attempts.attempts();
        let decision = subject.attempts.decide(retry, self.circumstances(retry, had_full_time));
        let (pause, is_later) = match decision {
            Decision::Fail { reason } => {
                let failure = match retry.blame {
                    Blame::Storage => failure.of_kind(STORAGE_UNAVAILABLE, reason),
                    _ => failure.because(reason, &retry.why, &subject.object.name),
                };
                let attempts = subject.attempts.attempts();
                return Ok(Step::done(self.fail(subject, &failure, attempts, code).await?));
            }
            Decision::RetryNow(pause) => (pause, false),
            Decision::RetryNextPoll(pause) => (pause, true),
        };
        // Written at once, so that it counts however this poll ends; and a file that asks for time for all of them gives its
        // turn to others.
        let is_counted = subject.attempts.attempts() > before;
        let is_written = is_counted || retry.blame == Blame::WorkerWide;
        if is_written && !self.record_attempt(subject, retry, pause).await? {
            return Ok(Step::done(Outcome::superseded(&subject.object)));
        }
        let next = match () {
            () if is_later || self.run.is_named => None,
            () if pause.is_zero() => Some(slot),
            () => self.run.pause(slot, pause).await,
        };
        match next {
            Some(slot) => Ok(Step::Again(slot)),
            None => Ok(Step::done(self.leave(subject, retry, pause, code).await?)),
        }
    }

    fn circumstances(self, retry: &Retry, had_full_time: bool) -> Circumstances {
        let now = self.instance.clock.now();
        let a_day_ago = now.checked_sub(DAY).unwrap_or(Timestamp::MIN);
        let dispatcher = &self.instance.dispatcher;
        let others_accepted =
            retry.blame == Blame::Storage && dispatcher.has_accepted_since(a_day_ago);
        let failures = dispatcher.failures();
        Circumstances { now, had_full_time, others_accepted, failures }
    }

    pub(super) async fn fail(
        self,
        subject: &Subject,
        failure: &Failure,
        attempts: u32,
        code: Option<i32>,
    ) -> Result<Outcome, PollError> {
        let object = &subject.object;
        let settling = SettleSpan::begin(Settlement::Failed);
        let settler = &self.instance.settler;
        let placed = settling.span.around(settler.failed(object, failure, attempts)).await;
        let placed = settling.end(placed);
        let outcome = Outcome::new(object, Settlement::Failed).because(&failure.reason);
        let outcome = outcome.of_kind(metrics::kind(&failure.kind));
        self.place(object, outcome.with_status(code), placed).await
    }
}

fn status_code(answer: &Answer) -> Option<i32> {
    match answer {
        Answer::Worker(answer) => Some(answer.code.into()),
        Answer::Transport(_) | Answer::TimedOut(_) | Answer::TooLarge { .. } => None,
    }
}
