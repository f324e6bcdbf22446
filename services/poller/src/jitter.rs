//! Random lengths of pauses, so that callers that failed together do not come back together.
//!
//! The generator is the thread's own, which a simulation seeds.

use std::time::Duration;

/// A tenth of a wish is the most that [`above`] adds.
const ABOVE: f64 = 0.1;

/// A pause that nothing asked for: up to `base * factor^step`, and `cap` at most. Never zero.
pub(crate) fn full(base: Duration, factor: f64, cap: Duration, step: u32) -> Duration {
    scaled(ceiling(base, factor, cap, step), 1.0 - fastrand::f64())
}

/// As [`full`], but at least half of the longest.
pub(crate) fn upper_half(base: Duration, factor: f64, cap: Duration, step: u32) -> Duration {
    scaled(ceiling(base, factor, cap, step), 1.0 - fastrand::f64() / 2.0)
}

/// A pause that was asked for is a floor: `wish` and up to a tenth more.
pub(crate) fn above(wish: Duration) -> Duration {
    wish.saturating_add(scaled(wish, ABOVE * fastrand::f64()))
}

fn ceiling(base: Duration, factor: f64, cap: Duration, step: u32) -> Duration {
    let step = i32::try_from(step).unwrap_or(i32::MAX);
    Duration::try_from_secs_f64(base.as_secs_f64() * factor.powi(step)).unwrap_or(cap).min(cap)
}

/// `time` times `part`, which is between 0 and 1.
fn scaled(time: Duration, part: f64) -> Duration {
    Duration::try_from_secs_f64(time.as_secs_f64() * part).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A thousand pauses, from a seed.
    fn series(seed: u64, pause: impl Fn() -> Duration) -> Vec<Duration> {
        fastrand::seed(seed);
        (0..1_000).map(|_| pause()).collect()
    }

    /// The pauses fill the whole range.
    fn fill(pauses: &[Duration], from: Duration, to: Duration) {
        let (least, most) = (*pauses.iter().min().unwrap(), *pauses.iter().max().unwrap());
        let edge = to.saturating_sub(from) / 50;
        assert!(least >= from && least < from + edge, "{least:?} of {from:?} to {to:?}");
        assert!(most <= to && most + edge > to, "{most:?} of {from:?} to {to:?}");
    }

    #[test]
    fn two_series_differ_and_one_seed_repeats() {
        let pause = || full(SECOND, 2.0, 8 * SECOND, 2);
        assert_eq!(series(1, pause), series(1, pause));
        assert_ne!(series(1, pause), series(2, pause));
        assert_ne!([pause(), pause(), pause()], [pause(), pause(), pause()]);
    }

    #[test]
    fn a_pause_grows_with_each_step_up_to_its_cap() {
        for (step, longest) in [(0, 1), (1, 4), (2, 16), (3, 20), (1_000, 20), (u32::MAX, 20)] {
            let longest = longest * SECOND;
            let pauses = series(7, || full(SECOND, 4.0, 20 * SECOND, step));
            assert!(pauses.iter().all(|pause| !pause.is_zero()));
            fill(&pauses, Duration::ZERO, longest);
            let upper = series(7, || upper_half(SECOND, 4.0, 20 * SECOND, step));
            fill(&upper, longest / 2, longest);
        }
    }

    #[test]
    fn a_wish_is_a_floor_and_a_tenth_may_be_added() {
        fill(&series(7, || above(100 * SECOND)), 100 * SECOND, 110 * SECOND);
        assert_eq!(above(Duration::ZERO), Duration::ZERO);
        assert_eq!(above(Duration::MAX), Duration::MAX);
    }
}
