//! Whether a worker that asks for time means one object, or all of them.

use std::time::Duration;

use crate::jitter;

/// So many different objects that are asked to wait, with none accepted, are the worker's trouble.
const OBJECTS: usize = 3;

/// A wish is kept up to this: then one object is tried.
const LONGEST_WISH: Duration = Duration::from_mins(10);

/// The pause without a wish: from the first, doubling, to the second.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// After a pause one object is asked, twice as many after each further one, up to two to the power of this.
const MOST_PROBES: u32 = 2;

/// Tells a worker that asks for time in general from an object that does.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// The objects that asked since the last acceptance, [`OBJECTS`] at most.
    asked: Vec<(String, i64)>,
    /// The shortest time that one of them asked for; none when one asked for none.
    wish: Option<Duration>,
    /// Pauses since the last acceptance.
    step: u32,
    /// Objects that are asked before the next pause, beside the first.
    probes: u32,
}

// === impl Waits ===

impl Waits {
    /// `object` (name, generation) was asked to wait. `is_fresh`: no attempt of it was counted before. Whether the wish is
    /// the worker's: three different fresh objects have asked since the last acceptance. It stays so until
    /// [`Waits::accepted`].
    pub(crate) fn asked(
        &mut self,
        object: &(String, i64),
        is_fresh: bool,
        wish: Option<Duration>,
    ) -> bool {
        if is_fresh {
            let is_first = self.asked.is_empty();
            self.wish =
                if is_first { wish } else { self.wish.and_then(|least| Some(least.min(wish?))) };
        }
        if is_fresh && !self.is_worker_wide() && !self.asked.contains(object) {
            self.asked.push(object.clone());
        }
        self.is_worker_wide()
    }

    /// The pause for all calls after one that asked for time; nothing while other objects are to be asked first. The first
    /// pause is the shortest wish, and each later one a minute at most: it may be these objects, and not the worker.
    pub(crate) fn pause(&mut self) -> Option<Duration> {
        if self.probes > 0 {
            self.probes -= 1;
            return None;
        }
        let longest = if self.step == 0 { LONGEST_WISH } else { LONGEST_PAUSE };
        let pause = match self.wish {
            Some(wish) => jitter::above(wish.min(longest)),
            None => jitter::upper_half(FIRST_PAUSE, 2.0, LONGEST_PAUSE, self.step),
        };
        self.probes = (1 << self.step.min(MOST_PROBES)) - 1;
        self.step = self.step.saturating_add(1);
        Some(pause)
    }

    pub(crate) fn accepted(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_worker_wide(&self) -> bool {
        self.asked.len() >= OBJECTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn object(number: i64) -> (String, i64) {
        ("in/a".into(), number)
    }

    #[test]
    fn three_different_fresh_objects_that_are_asked_to_wait_are_the_workers_trouble() {
        let mut waits = Waits::default();
        assert!(!waits.asked(&object(1), true, None));
        assert!(!waits.asked(&object(1), true, None), "the same one again");
        assert!(!waits.asked(&object(2), true, None));
        assert!(!waits.asked(&object(3), false, None), "it had attempts before");
        assert!(!waits.asked(&object(4), false, None));
        assert!(waits.asked(&object(5), true, None));
        assert!(waits.asked(&object(6), false, None), "it stays so");
        assert!(waits.is_worker_wide());
        waits.accepted();
        assert!(!waits.is_worker_wide() && !waits.asked(&object(7), true, None));
        assert!(!waits.asked(&object(8), true, None), "it begins again");
    }

    #[test]
    fn no_more_objects_are_remembered_than_it_takes() {
        let mut waits = Waits::default();
        for number in 0..1_000 {
            waits.asked(&object(number), true, None);
        }
        assert_eq!(waits.asked.len(), OBJECTS);
    }

    #[test]
    fn the_pause_is_the_shortest_wish_up_to_ten_minutes_and_a_little_more() {
        for (wishes, least) in [([30, 40, 50], 30), ([50, 0, 40], 0), ([86_400; 3], 600)] {
            let mut waits = Waits::default();
            for (number, wish) in (0..).zip(wishes) {
                waits.asked(&object(number), true, Some(wish * SECOND));
            }
            let (pause, least) = (waits.pause().unwrap(), least * SECOND);
            assert!(pause >= least && pause <= least + least / 10, "{wishes:?}: {pause:?}");
        }
    }

    #[test]
    fn without_a_wish_of_each_the_pause_doubles_up_to_a_minute_until_an_acceptance() {
        let mut waits = Waits::default();
        for (number, wish) in [(1, Some(9 * SECOND)), (2, None), (3, Some(SECOND))] {
            waits.asked(&object(number), true, wish);
        }
        for longest in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let longest = longest * SECOND;
            let pause = std::iter::repeat_with(|| waits.pause()).flatten().next().unwrap();
            assert!(pause >= longest / 2 && pause <= longest, "{longest:?}: {pause:?}");
        }
        waits.accepted();
        assert!(waits.pause().unwrap() <= SECOND);
    }

    #[test]
    fn a_long_wish_is_kept_once_and_then_more_and_more_objects_are_asked_each_minute() {
        let mut waits = Waits::default();
        waits.asked(&object(1), true, Some(300 * SECOND));
        assert!(waits.pause().unwrap() >= 300 * SECOND);
        for asked in [1, 2, 4, 4, 4] {
            for _ in 1..asked {
                assert_eq!(waits.pause(), None, "{asked}");
            }
            let pause = waits.pause().unwrap();
            assert!(pause >= 60 * SECOND && pause <= 66 * SECOND, "{pause:?}");
        }
    }
}
