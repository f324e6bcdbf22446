//! Whether the worker is asked about an object again, and when: pure, but for jitter.

use std::time::Duration;

use backon::ExponentialBackoff;
use brigade_storage::Object;

use crate::{
    config::Budgets,
    mark,
    retry::{attempt_pause, worker_pauses, worker_retry_after},
    verdict::{Blame, Retry},
};

/// The attempts of one object. Those that count are written on the object itself; the others count in this poll alone.
#[derive(Debug)]
pub(crate) struct AttemptPolicy {
    attempts: u32,
    written: u32,
    max_attempts: u32,
    transport_failures: u32,
    max_transport_failures: u32,
    pauses: ExponentialBackoff,
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
    /// Continues from the count that is written on the object.
    pub(crate) fn for_object(object: &Object, budgets: &Budgets) -> Self {
        let attempts = mark::attempts(object);
        Self {
            attempts,
            written: attempts,
            max_attempts: budgets.max_attempts,
            transport_failures: 0,
            max_transport_failures: budgets.breaker,
            pauses: worker_pauses(),
        }
    }

    /// The number of the next call, from 1.
    pub(crate) fn next_attempt(&self) -> u32 {
        self.attempts.saturating_add(1)
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether there were attempts that are not written on the object.
    pub(crate) fn is_unwritten(&self) -> bool {
        self.attempts != self.written
    }

    /// What to do after `retry`. `had_full_time`: the call had all the time that a poll can give.
    pub(crate) fn decide(&mut self, retry: &Retry, had_full_time: bool) -> Decision {
        let is_attempt = match retry.blame {
            Blame::Worker => true,
            Blame::Deadline => had_full_time,
            Blame::Busy | Blame::Transport | Blame::Poll => false,
        };
        if is_attempt {
            self.attempts = self.next_attempt();
            if self.attempts >= self.max_attempts {
                let attempts = match self.attempts {
                    1 => "1 attempt".to_owned(),
                    count => format!("{count} attempts"),
                };
                let reason = format!("{attempts}; the last: {}", retry.why);
                return Decision::Fail { reason };
            }
        }
        let pause = if is_attempt {
            attempt_pause(self.attempts)
        } else {
            self.pauses.next().unwrap_or_default()
        };
        let pause = pause.max(worker_retry_after(retry.after));
        self.transport_failures += u32::from(retry.blame == Blame::Transport);
        match retry.blame {
            Blame::Poll => Decision::RetryNextPoll(pause),
            Blame::Transport if self.transport_failures >= self.max_transport_failures => {
                Decision::RetryNextPoll(pause)
            }
            _ => Decision::RetryNow(pause),
        }
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

    #[test]
    fn only_what_the_worker_answers_about_the_object_is_an_attempt() {
        for (blame, full_time, counts) in [
            (Blame::Worker, true, 1),
            (Blame::Worker, false, 1),
            (Blame::Deadline, true, 1),
            (Blame::Deadline, false, 0),
            (Blame::Busy, true, 0),
            (Blame::Transport, true, 0),
            (Blame::Poll, true, 0),
        ] {
            let mut policy = policy();
            policy.decide(&asking(blame, None), full_time);
            assert_eq!(policy.attempts(), counts, "{blame:?}, {full_time}");
            assert_eq!(policy.is_unwritten(), counts > 0, "{blame:?}, {full_time}");
        }
    }

    #[test]
    fn the_last_attempt_fails_with_its_reason() {
        let mut policy = policy();
        let asked = asking(Blame::Worker, None);
        for _ in 0..2 {
            let decision = policy.decide(&asked, true);
            assert!(matches!(decision, Decision::RetryNow(_)));
        }
        let Decision::Fail { reason } = policy.decide(&asked, true) else {
            panic!("a fourth attempt");
        };
        assert_eq!(reason, "3 attempts; the last: why");
    }

    #[test]
    fn the_pause_that_a_worker_asks_for_is_kept_up_to_an_hour() {
        let pause = |asked| match policy().decide(&asking(Blame::Worker, Some(asked)), true) {
            Decision::RetryNow(pause) => pause,
            other => panic!("{other:?}"),
        };
        assert_eq!(pause(60 * SECOND), 60 * SECOND);
        assert_eq!(pause(Duration::MAX), Duration::from_hours(1));
        assert!(pause(Duration::ZERO) >= 2 * SECOND);
    }

    #[test]
    fn an_object_whose_calls_fail_too_often_is_left_for_the_next_poll() {
        let mut policy = policy();
        let lost = asking(Blame::Transport, None);
        assert!(matches!(policy.decide(&lost, true), Decision::RetryNow(_)));
        let second = policy.decide(&lost, true);
        assert!(matches!(second, Decision::RetryNextPoll(_)));
    }
}
