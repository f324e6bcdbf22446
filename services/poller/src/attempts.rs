//! Whether the worker is asked about an object again, and when: pure, but for jitter.

use std::time::Duration;

use brigade_storage::Object;
use jiff::{SignedDuration, Timestamp};

use crate::{
    config::Budgets,
    jitter, mark,
    outcome::RETRY_SOON,
    retry::{attempt_pause, doubt_pause, worker_retry_after},
    verdict::{Blame, Retry},
};

/// After this long an object that storage does not let the worker read fails, if others were read meanwhile.
const MAX_UNREAD: SignedDuration = SignedDuration::from_hours(24);

/// The first and the longest pause before an object is asked about again that storage did not let the worker read.
const UNREAD_MIN: Duration = Duration::from_secs(2);
const UNREAD_MAX: Duration = Duration::from_hours(1);

/// What is asked again only to compare the answer with those about other objects waits this long.
const COMPARE: Duration = Duration::from_secs(2);

/// The attempts of one object. Those that count are written on the object itself; the others count in this poll alone.
#[derive(Debug)]
pub(crate) struct AttemptPolicy {
    attempts: u32,
    max_attempts: u32,
    /// Calls that failed in the transport while others were answered.
    transport_failures: u32,
    max_transport_failures: u32,
    unread_since: Option<Timestamp>,
}

/// What else is known when a call has to be repeated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub(crate) now: Timestamp,
    /// The call had most of the time that a poll can give.
    pub(crate) had_full_time: bool,
    /// The worker has accepted other objects in the last day.
    pub(crate) others_accepted: bool,
    /// Calls that failed in a row, of all objects.
    pub(crate) failures: u32,
}

/// What follows an answer that asks for another try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Ask again in this poll, after this pause.
    RetryNow(Duration),
    /// Leave the object for a poll that begins after this pause.
    RetryNextPoll(Duration),
    /// It had its attempts.
    Fail {
        /// How many there were, and the result of the last one.
        reason: String,
    },
}

// === impl AttemptPolicy ===

impl AttemptPolicy {
    /// Continues from what is written on the object.
    pub(crate) fn for_object(object: &Object, budgets: &Budgets) -> Self {
        Self {
            attempts: mark::attempts(object),
            max_attempts: budgets.max_attempts,
            transport_failures: 0,
            max_transport_failures: budgets.breaker,
            unread_since: mark::unread_since(object),
        }
    }

    /// The number of the next call, from 1.
    pub(crate) fn next_attempt(&self) -> u32 {
        self.attempts.saturating_add(1)
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Since when storage has not let the worker read it.
    pub(crate) fn unread_since(&self) -> Option<Timestamp> {
        self.unread_since
    }

    /// What to do after `retry`.
    pub(crate) fn decide(&mut self, retry: &Retry, circumstances: Circumstances) -> Decision {
        let asked = worker_retry_after(retry.after);
        if !matches!(retry.blame, Blame::Storage | Blame::WorkerWide) {
            self.unread_since = None;
        }
        let pause = match retry.blame {
            Blame::Worker | Blame::Doubt => self.count(retry),
            Blame::Deadline if circumstances.had_full_time => self.count(retry),
            // Not this poll: it would be cut short again.
            Blame::Deadline => return Decision::RetryNextPoll(asked.max(RETRY_SOON)),
            Blame::EarlyDoubt => Ok(COMPARE),
            Blame::Poll => return Decision::RetryNextPoll(RETRY_SOON),
            Blame::Transport | Blame::Lost => {
                self.transport_failures += 1;
                // Where every call fails, the breaker decides.
                let others_are_answered = circumstances.failures < self.transport_failures;
                if self.transport_failures >= self.max_transport_failures && others_are_answered {
                    return Decision::RetryNextPoll(RETRY_SOON);
                }
                Ok(Duration::ZERO)
            }
            // Others first: it may be this object after all.
            Blame::WorkerWide => Ok(jitter::above(RETRY_SOON)),
            Blame::Storage => return self.decide_unread(retry, circumstances, asked),
            // The worker's turn decides when.
            Blame::Busy => return Decision::RetryNow(Duration::ZERO),
        };
        match pause {
            Ok(pause) => Decision::RetryNow(pause.max(asked)),
            Err(reason) => Decision::Fail { reason },
        }
    }

    /// Counts an attempt: the pause before the next one, or why there is none.
    fn count(&mut self, retry: &Retry) -> Result<Duration, String> {
        self.attempts = self.next_attempt();
        if self.attempts >= self.max_attempts {
            let attempts = match self.attempts {
                1 => "1 attempt".to_owned(),
                count => format!("{count} attempts"),
            };
            return Err(format!("{attempts}; the last: {}", retry.why));
        }
        Ok(match retry.blame {
            Blame::Doubt => doubt_pause(self.attempts),
            _ => attempt_pause(self.attempts),
        })
    }

    /// As long again as it has gone on, so that an object that storage never lets through costs little.
    fn decide_unread(
        &mut self,
        retry: &Retry,
        circumstances: Circumstances,
        asked: Duration,
    ) -> Decision {
        let since = *self.unread_since.get_or_insert(circumstances.now);
        let age = circumstances.now.duration_since(since);
        if age >= MAX_UNREAD && circumstances.others_accepted {
            let hours = age.as_hours();
            let reason = format!(
                "for {hours} h storage has not let the worker read this file or write its outputs, though it did for \
                 others; the last error: {}",
                retry.why
            );
            return Decision::Fail { reason };
        }
        let age = Duration::try_from(age).unwrap_or_default();
        Decision::RetryNow(jitter::above(age.clamp(UNREAD_MIN, UNREAD_MAX)).max(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::object;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy() -> AttemptPolicy {
        let budgets = Budgets { max_attempts: 3, breaker: 2, ..Budgets::default() };
        AttemptPolicy::for_object(&object("in/a", 1), &budgets)
    }

    fn asking(blame: Blame, after: Option<Duration>) -> Retry {
        Retry { after, blame, why: "why".into() }
    }

    fn at(hours: i64) -> Circumstances {
        let now = Timestamp::from_second(hours * 3_600).unwrap();
        Circumstances { now, had_full_time: true, others_accepted: true, failures: 1 }
    }

    #[test]
    fn only_what_the_worker_answers_about_the_object_is_an_attempt() {
        for (blame, had_full_time, counts) in [
            (Blame::Worker, true, 1),
            (Blame::Worker, false, 1),
            (Blame::Doubt, true, 1),
            (Blame::Deadline, true, 1),
            (Blame::Deadline, false, 0),
            (Blame::WorkerWide, true, 0),
            (Blame::Storage, true, 0),
            (Blame::EarlyDoubt, true, 0),
            (Blame::Busy, true, 0),
            (Blame::Transport, true, 0),
            (Blame::Lost, true, 0),
            (Blame::Poll, true, 0),
        ] {
            let mut policy = policy();
            let circumstances = Circumstances { had_full_time, ..at(0) };
            policy.decide(&asking(blame, None), circumstances);
            assert_eq!(policy.attempts(), counts, "{blame:?}, {had_full_time}");
        }
    }

    #[test]
    fn the_last_attempt_fails_with_its_reason() {
        let mut policy = policy();
        let asked = asking(Blame::Worker, None);
        for _ in 0..2 {
            let decision = policy.decide(&asked, at(0));
            assert!(matches!(decision, Decision::RetryNow(_)));
        }
        let Decision::Fail { reason } = policy.decide(&asked, at(0)) else {
            panic!("a fourth attempt");
        };
        assert_eq!(reason, "3 attempts; the last: why");
    }

    #[test]
    fn the_pause_that_a_worker_asks_for_is_kept_up_to_an_hour() {
        let pause = |asked| match policy().decide(&asking(Blame::Worker, Some(asked)), at(0)) {
            Decision::RetryNow(pause) => pause,
            other => panic!("{other:?}"),
        };
        assert_eq!(pause(60 * SECOND), 60 * SECOND);
        assert_eq!(pause(Duration::MAX), Duration::from_hours(1));
        assert!(pause(Duration::ZERO) >= SECOND);
    }

    #[test]
    fn after_an_answer_that_may_be_about_the_wiring_the_object_waits_longer() {
        let pause = |blame| match policy().decide(&asking(blame, None), at(0)) {
            Decision::RetryNow(pause) => pause,
            other => panic!("{other:?}"),
        };
        assert!(pause(Blame::Worker) <= 4 * SECOND);
        assert_eq!(pause(Blame::EarlyDoubt), COMPARE, "only until others were asked");
        assert!(pause(Blame::Doubt) >= 30 * SECOND, "time to correct a setting");
    }

    #[test]
    fn an_object_whose_calls_fail_too_often_is_left_for_the_next_poll() {
        let mut policy = policy();
        let lost = asking(Blame::Transport, None);
        assert_eq!(policy.decide(&lost, at(0)), Decision::RetryNow(Duration::ZERO));
        let all_fail = Circumstances { failures: 2, ..at(0) };
        assert_eq!(policy.decide(&lost, all_fail), Decision::RetryNow(Duration::ZERO));
        let third = policy.decide(&lost, at(0));
        assert!(matches!(third, Decision::RetryNextPoll(_)), "others are answered");
    }

    #[test]
    fn what_storage_does_not_let_through_waits_as_long_again_and_fails_after_a_day() {
        let mut policy = policy();
        let unread = asking(Blame::Storage, None);
        let pause = |decision| match decision {
            Decision::RetryNow(pause) => pause.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!(pause(policy.decide(&unread, at(0))), 2);
        assert!((3_600..3_960).contains(&pause(policy.decide(&unread, at(1)))));
        assert!((3_600..3_960).contains(&pause(policy.decide(&unread, at(23)))));
        let alone = Circumstances { others_accepted: false, ..at(24) };
        assert!(pause(policy.decide(&unread, alone)) >= 3_600, "nothing else was read either");
        let Decision::Fail { reason } = policy.decide(&unread, at(24)) else {
            panic!("it goes on");
        };
        insta::assert_snapshot!(reason);

        assert_eq!(policy.unread_since(), Some(at(0).now), "to be written on the object");

        policy.decide(&asking(Blame::Worker, None), at(24));
        assert_eq!(policy.unread_since(), None);
        assert_eq!(pause(policy.decide(&unread, at(25))), 2, "it was read in between");
    }
}
