//! What this instance knows of the worker when a call is lost: whether the object caused it, or something else.

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use crate::losses::{How, Losses};

/// An object generation of the inbox's bucket.
pub(crate) type Key = (String, i64);

/// Lost calls that are remembered.
const REMEMBERED: usize = 256;

/// Losses that are no further apart have one cause: marks have whole seconds, and connections end one after the other.
const SAME_EVENT: SignedDuration = SignedDuration::from_secs(2);

/// A worker that accepted another object so shortly before an object's first loss was well then.
const JUST_BEFORE: SignedDuration = SignedDuration::from_mins(1);

/// So many other objects may end the worker too.
const FEW: usize = 3;

/// A worker that is seen to live so many times as long as an object's longest loss is not ended by a clock.
const OUTLIVES: u32 = 4;

/// What the worker did since this process began.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    accepted: Option<Timestamp>,
    lost: VecDeque<Lost>,
    /// When it answered first since the last loss, and the longest time between such an answer and a later one.
    alive_since: Option<Timestamp>,
    longest_life: Duration,
}

/// One lost call of any object, or the worker found away with no call in flight.
#[derive(Clone, Debug)]
struct Lost {
    at: Timestamp,
    /// Nothing: it was idle.
    object: Option<Key>,
    /// That object was lost alone before.
    is_suspect: bool,
}

/// A lost call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) object: &'a Key,
    /// Its earlier losses.
    pub(crate) losses: &'a Losses,
    /// No other call was in flight.
    pub(crate) is_alone: bool,
    /// The worker answered a health check just before.
    pub(crate) was_healthy: bool,
    pub(crate) now: Timestamp,
}

// === impl Evidence ===

impl Evidence {
    pub(crate) fn accepted(&mut self, now: Timestamp) {
        self.accepted = Some(now);
        self.answered(now);
    }

    /// The worker answered: about an object, or its health check.
    pub(crate) fn answered(&mut self, now: Timestamp) {
        let since = *self.alive_since.get_or_insert(now);
        let life = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        self.longest_life = self.longest_life.max(life);
    }

    /// Whether the worker has accepted an object since then.
    pub(crate) fn has_accepted_since(&self, then: Timestamp) -> bool {
        self.accepted.is_some_and(|accepted| accepted > then)
    }

    /// The worker was found away while no call was in flight. After a loss it may not be back yet: that is the same one.
    pub(crate) fn lost_idle(&mut self, now: Timestamp) {
        if self.alive_since.is_none() {
            return;
        }
        self.remember(Lost { at: now, object: None, is_suspect: false });
    }

    /// Notes a lost call, and tells what it says about its object.
    pub(crate) fn lost(&mut self, call: Call<'_>) -> How {
        let how = self.judge(call);
        let is_suspect = call.losses.alone() >= 2;
        self.remember(Lost { at: call.now, object: Some(call.object.clone()), is_suspect });
        how
    }

    fn judge(&self, call: Call<'_>) -> How {
        if !call.is_alone {
            return How::Together;
        }
        let (Some(first), Some(last)) = (call.losses.first(), call.losses.last()) else {
            return How::Alone;
        };
        let explained = self.lost.iter().any(|lost| {
            let is_other = lost.object.as_ref() != Some(call.object);
            is_other
                && lost.at.duration_since(last.at) > SAME_EVENT
                && !(lost.is_suspect && self.outlives(call.losses))
        });
        if explained || self.is_flaky(call, first.at) {
            How::Alone
        } else if self.has_accepted_since(first.at.checked_sub(JUST_BEFORE).unwrap_or(first.at)) {
            How::Counted
        } else if call.was_healthy {
            How::Healthy
        } else {
            How::Alone
        }
    }

    /// A worker that loses calls about many objects is ended by none of them. Those that it lost together with this one do
    /// not show that.
    fn is_flaky(&self, call: Call<'_>, since: Timestamp) -> bool {
        let own = |lost: &&Lost| call.losses.any_within(SAME_EVENT, lost.at);
        let others = self.lost.iter().filter(|lost| lost.at > since && !own(lost));
        let others: HashSet<_> = others.filter_map(|lost| lost.object.as_ref()).collect();
        others.iter().filter(|object| **object != call.object).count() > FEW
    }

    /// Two objects that both end the worker do not speak for each other, where the worker is known to live long enough.
    fn outlives(&self, losses: &Losses) -> bool {
        self.longest_life >= losses.longest() * OUTLIVES
    }

    fn remember(&mut self, lost: Lost) {
        if self.lost.len() >= REMEMBERED {
            self.lost.pop_front();
        }
        self.lost.push_back(lost);
        self.alive_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::Loss;

    fn key(name: &str) -> Key {
        (name.to_owned(), 1)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A worker, and the losses of one object.
    #[derive(Default)]
    struct Story {
        evidence: Evidence,
        losses: Losses,
        healthy: bool,
    }

    impl Story {
        fn accepts(mut self, second: i64) -> Self {
            self.evidence.accepted(at(second));
            self
        }

        /// Loses another object.
        fn loses(mut self, name: &str, second: i64, alone_before: usize) -> Self {
            let mut losses = Losses::default();
            for _ in 0..alone_before {
                losses.push(Loss { at: at(0), after: Duration::ZERO, how: How::Alone });
            }
            let object = key(name);
            let call = Call {
                object: &object,
                losses: &losses,
                is_alone: true,
                was_healthy: false,
                now: at(second),
            };
            self.evidence.lost(call);
            self
        }

        /// Loses the object itself after 5 s.
        fn lost(mut self, second: i64, is_alone: bool) -> Self {
            let object = key("poison");
            let call = Call {
                object: &object,
                losses: &self.losses,
                is_alone,
                was_healthy: self.healthy,
                now: at(second),
            };
            let how = self.evidence.lost(call);
            self.losses.push(Loss { at: at(second), after: Duration::from_secs(5), how });
            self
        }

        fn last(&self) -> How {
            self.losses.last().unwrap().how
        }
    }

    #[test]
    fn a_loss_beside_others_says_nothing() {
        assert_eq!(Story::default().lost(1, false).accepts(2).lost(3, false).last(), How::Together);
    }

    #[test]
    fn a_loss_alone_counts_once_another_object_was_accepted_since_the_first() {
        let early = Story::default().accepts(0).lost(61, false).lost(70, true);
        assert_eq!(early.last(), How::Alone, "nothing was accepted since, or just before");
        let before = Story::default().accepts(0).lost(59, false).lost(70, true);
        assert_eq!(before.last(), How::Counted);
        let story = Story::default().lost(1, false).accepts(2).lost(10, true);
        assert_eq!(story.last(), How::Counted);
        // The good objects are gone, and still it counts.
        assert_eq!(story.lost(100, true).lost(200, true).last(), How::Counted);
    }

    #[test]
    fn an_acceptance_at_the_moment_of_a_loss_is_not_after_it() {
        let story = Story::default().accepts(1);
        assert!(story.evidence.has_accepted_since(at(0)));
        assert!(!story.evidence.has_accepted_since(at(1)));
    }

    #[test]
    fn a_loss_of_another_object_in_between_clears_it() {
        let story = Story::default().lost(1, false).accepts(2).lost(10, true);
        let cleared = story.loses("b", 50, 0).lost(60, true);
        assert_eq!(cleared.last(), How::Alone);
        assert_eq!(cleared.lost(70, true).last(), How::Counted, "only what lies in between clears");
    }

    #[test]
    fn what_was_lost_in_the_same_event_clears_nothing() {
        let story = |second| Story::default().lost(1, false).loses("b", second, 0).accepts(5);
        assert_eq!(story(3).lost(10, true).last(), How::Counted);
        assert_eq!(story(4).lost(10, true).last(), How::Alone, "it was later");
    }

    #[test]
    fn a_worker_that_is_found_away_while_idle_clears_it() {
        let mut story = Story::default().lost(1, false).accepts(2).lost(10, true);
        story.evidence.lost_idle(at(20));
        assert_eq!(story.lost(30, true).last(), How::Counted, "it was not back yet");

        let mut story = Story::default().lost(1, false).accepts(2).lost(10, true).accepts(15);
        story.evidence.lost_idle(at(20));
        assert_eq!(story.lost(30, true).last(), How::Alone);
    }

    #[test]
    fn two_objects_that_end_the_worker_do_not_clear_each_other_where_it_lives_long() {
        let known = Story::default().lost(1, false).accepts(2).lost(10, true);
        let short = known.accepts(11).accepts(14).loses("other", 15, 2).lost(20, true);
        assert_eq!(short.last(), How::Alone, "it was seen to live for 3 s at most");
        let long = short.accepts(21).accepts(42).loses("other", 45, 2).lost(50, true);
        assert_eq!(long.last(), How::Counted);
        let stranger = long.loses("b", 55, 1).lost(60, true);
        assert_eq!(stranger.last(), How::Alone, "the other one is no suspect yet");
    }

    #[test]
    fn a_worker_that_loses_calls_about_many_objects_is_ended_by_none_of_them() {
        let together = ["p", "q", "r", "s", "t"];
        let story = Story::default().lost(1, false).accepts(2).accepts(100).lost(105, false);
        let story = together.into_iter().fold(story, |story, name| story.loses(name, 105, 0));
        let story = story.lost(110, true);
        assert_eq!(story.last(), How::Counted, "they were lost together with it");
        let few = ["b", "c", "d"].into_iter().zip(120..);
        let story = few.fold(story, |story, (name, at)| story.loses(name, at, 2)).lost(130, true);
        assert_eq!(story.last(), How::Counted, "each of them may end it too");
        assert_eq!(story.loses("e", 135, 2).lost(140, true).last(), How::Alone);
    }

    #[test]
    fn with_nothing_else_to_ask_the_workers_health_speaks_for_it() {
        let story = Story { healthy: true, ..Story::default() }.lost(1, false).lost(5, true);
        assert_eq!(story.last(), How::Healthy);
        assert_eq!(story.loses("b", 8, 0).lost(9, true).last(), How::Alone);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let story = (0..1_000).fold(Story::default(), |story, n| story.loses("b", n, 0));
        assert_eq!(story.evidence.lost.len(), REMEMBERED);
    }
}
