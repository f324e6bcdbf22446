//! How often the worker was asked about one object, and whether to ask again.

use std::time::Duration;

use backon::ExponentialBackoff;
use brigade_storage::Object;

use crate::{
    mark,
    poll::Budgets,
    retry::{attempt_pause, wished_by_worker, worker_pauses},
    verdict::{Blame, Retry},
};

/// The tries of one object: those that count, which survive on the object itself, and those of this poll.
#[derive(Debug)]
pub(crate) struct Tries {
    attempts: u32,
    written: u32,
    max_attempts: u32,
    missed: u32,
    max_missed: u32,
    pauses: ExponentialBackoff,
}

/// What is next for an object that is to be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Ask again after this pause.
    Pause(Duration),
    /// Leave it for a later poll, which is to wait this long.
    Later(Duration),
    /// It had its attempts: it has failed.
    GiveUp {
        /// How many there were, and what came of the last one.
        reason: String,
    },
}

// === impl Tries ===

impl Tries {
    /// As the object itself says.
    pub(crate) fn of(object: &Object, budgets: &Budgets) -> Self {
        let attempts = mark::attempts(object);
        Self {
            attempts,
            written: attempts,
            max_attempts: budgets.max_attempts,
            missed: 0,
            max_missed: budgets.breaker,
            pauses: worker_pauses(),
        }
    }

    /// The number of the call that is made next, from 1.
    pub(crate) fn next_attempt(&self) -> u32 {
        self.attempts.saturating_add(1)
    }

    /// How many attempts count so far.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether there were attempts that the object does not tell of.
    pub(crate) fn has_news(&self) -> bool {
        self.attempts != self.written
    }

    /// What to do after an answer that asks for another try. `whole`: the call had all the time that a poll can give.
    pub(crate) fn after(&mut self, retry: &Retry, whole: bool) -> Next {
        let counts = match retry.blame {
            Blame::Worker => true,
            Blame::Deadline => whole,
            Blame::Busy | Blame::Transport | Blame::Poll => false,
        };
        if counts {
            self.attempts = self.next_attempt();
            if self.attempts >= self.max_attempts {
                return Next::GiveUp {
                    reason: format!("{} attempts; the last: {}", self.attempts, retry.why),
                };
            }
        }
        let pause = if counts {
            attempt_pause(self.attempts)
        } else {
            self.pauses.next().unwrap_or_default()
        };
        let pause = pause.max(wished_by_worker(retry.after));
        match retry.blame {
            Blame::Poll => Next::Later(pause),
            Blame::Transport => {
                self.missed += 1;
                if self.missed >= self.max_missed {
                    Next::Later(pause)
                } else {
                    Next::Pause(pause)
                }
            }
            Blame::Worker | Blame::Deadline | Blame::Busy => Next::Pause(pause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::object;

    const SECOND: Duration = Duration::from_secs(1);

    fn tries() -> Tries {
        let budgets = Budgets {
            concurrency: 1,
            process_timeout: SECOND,
            poll_deadline: SECOND,
            max_objects: None,
            max_attempts: 3,
            breaker: 2,
        };
        Tries::of(&object("in/a", 1), &budgets)
    }

    fn asking(blame: Blame, after: Option<Duration>) -> Retry {
        Retry {
            after,
            blame,
            why: "why".into(),
        }
    }

    #[test]
    fn only_what_the_worker_says_of_the_object_is_an_attempt() {
        for (blame, whole, counts) in [
            (Blame::Worker, true, 1),
            (Blame::Worker, false, 1),
            (Blame::Deadline, true, 1),
            (Blame::Deadline, false, 0),
            (Blame::Busy, true, 0),
            (Blame::Transport, true, 0),
            (Blame::Poll, true, 0),
        ] {
            let mut tries = tries();
            tries.after(&asking(blame, None), whole);
            assert_eq!(tries.attempts(), counts, "{blame:?}, {whole}");
            assert_eq!(tries.has_news(), counts > 0, "{blame:?}, {whole}");
        }
    }

    #[test]
    fn the_last_attempt_gives_up_and_keeps_its_reason() {
        let mut tries = tries();
        let asked = asking(Blame::Worker, None);
        for _ in 0..2 {
            assert!(matches!(tries.after(&asked, true), Next::Pause(_)));
        }
        let Next::GiveUp { reason } = tries.after(&asked, true) else {
            panic!("a fourth try");
        };
        assert_eq!(reason, "3 attempts; the last: why");
    }

    #[test]
    fn a_wish_is_honoured_and_clamped() {
        let pause = |wish| match tries().after(&asking(Blame::Worker, Some(wish)), true) {
            Next::Pause(pause) | Next::Later(pause) => pause,
            Next::GiveUp { .. } => panic!("gave up"),
        };
        assert_eq!(pause(60 * SECOND), 60 * SECOND);
        assert_eq!(pause(Duration::MAX), Duration::from_hours(1));
        assert!(pause(Duration::ZERO) >= 2 * SECOND);
    }

    #[test]
    fn an_object_that_misses_the_worker_too_often_is_left_for_the_next_poll() {
        let mut tries = tries();
        let missed = asking(Blame::Transport, None);
        assert!(matches!(tries.after(&missed, true), Next::Pause(_)));
        assert!(matches!(tries.after(&missed, true), Next::Later(_)));
    }
}
