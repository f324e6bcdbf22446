//! Two things that take turns.

use std::time::Duration;

/// How much is measured.
pub(crate) struct Scale {
    /// Rounds of each side.
    pub(crate) rounds: usize,
    /// Calls in a round.
    pub(crate) calls: usize,
    /// Tokens of each kind whose traces in memory are looked for.
    pub(crate) tokens: usize,
    /// How long a round of a server is.
    pub(crate) window: Duration,
    /// Whether a missed goal is a failure.
    pub(crate) judged: bool,
}

impl Scale {
    pub(crate) fn from_env() -> Self {
        if std::env::var_os("BENCH_SMOKE").is_some() {
            return Self {
                rounds: 3,
                calls: 200,
                tokens: 2_000,
                window: Duration::from_millis(50),
                judged: false,
            };
        }
        Self {
            rounds: 41,
            calls: 20_000,
            tokens: 1_000_000,
            window: Duration::from_millis(500),
            judged: true,
        }
    }
}

/// What two sides measured, round by round.
pub(crate) struct Paired {
    ones: Vec<f64>,
    others: Vec<f64>,
}

impl Paired {
    /// The medians of both.
    pub(crate) fn medians(&self) -> (f64, f64) {
        (median(self.ones.clone()), median(self.others.clone()))
    }

    /// The median of one to the other, each round by itself.
    pub(crate) fn ratio(&self) -> f64 {
        let rounds = self.ones.iter().zip(&self.others);
        median(rounds.map(|(one, other)| one / other).collect())
    }

    /// The median of what one has more than the other, each round by itself.
    pub(crate) fn difference(&self) -> f64 {
        let rounds = self.ones.iter().zip(&self.others);
        median(rounds.map(|(one, other)| one - other).collect())
    }
}

/// Both sides in turn, after one round of each that does not count.
pub(crate) fn paired(
    rounds: usize,
    mut one: impl FnMut() -> f64,
    mut other: impl FnMut() -> f64,
) -> Paired {
    one();
    other();
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // The second run finds the caches as the first one left them, so the order alternates.
        if round % 2 == 0 {
            ones.push(one());
            others.push(other());
        } else {
            others.push(other());
            ones.push(one());
        }
    }
    Paired { ones, others }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Nanoseconds for each of so many calls.
#[allow(clippy::cast_precision_loss, reason = "no bench makes 2^52 calls")]
pub(crate) fn nanos_each(took: Duration, calls: usize) -> f64 {
    took.as_nanos() as f64 / calls as f64
}
