//! What is measured, and how much of it.

use std::time::Duration;

/// How much is measured.
pub(crate) struct Scale {
    pub(crate) rounds: usize,
    pub(crate) objects: usize,
    /// Of the steady stream.
    pub(crate) stream: Duration,
    pub(crate) idle: Duration,
    pub(crate) is_judged: bool,
    /// Words of the command line.
    chosen: Vec<String>,
}

/// One goal, and whether it was met.
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) measured: String,
    pub(crate) goal: String,
    pub(crate) is_met: bool,
}

// === impl Scale ===

impl Scale {
    pub(crate) fn from_env() -> Self {
        let words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
        let chosen = words.collect();
        if std::env::var_os("BENCH_SMOKE").is_some() {
            let (stream, idle) = (Duration::from_secs(2), Duration::from_secs(1));
            return Self { rounds: 1, objects: 200, stream, idle, is_judged: false, chosen };
        }
        Self {
            rounds: 5,
            objects: 10_000,
            stream: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            is_judged: true,
            chosen,
        }
    }

    pub(crate) fn is_chosen(&self, word: &str) -> bool {
        self.chosen.iter().any(|chosen| chosen == word)
    }

    /// Whether a cell of these words is wanted: none of them is named, or this one is.
    pub(crate) fn wants(&self, all: &[&str], word: &str) -> bool {
        !all.iter().any(|other| self.is_chosen(other)) || self.is_chosen(word)
    }
}

// === impl Figure ===

impl Figure {
    pub(crate) fn at_most(what: impl Into<String>, measured: f64, goal: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            measured: format!("{measured:.3}{unit}"),
            goal: format!("≤ {goal:.3}{unit}"),
            is_met: measured <= goal,
        }
    }

    pub(crate) fn at_least(what: impl Into<String>, measured: f64, goal: f64) -> Self {
        Self {
            what: what.into(),
            measured: format!("{measured:.3}"),
            goal: format!("≥ {goal:.3}"),
            is_met: measured >= goal,
        }
    }

    pub(crate) fn print(&self, scale: &Scale) {
        let verdict = match (scale.is_judged, self.is_met) {
            (false, _) => "not judged",
            (true, true) => "met",
            (true, false) => "MISSED",
        };
        let Self { what, measured, goal, .. } = self;
        println!("{what:<74} {measured:>12}   goal {goal:<14} {verdict}");
    }
}

/// The middle one.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The one below which this part of them is.
pub(crate) fn quantile(sorted: &[Duration], part: f64) -> Duration {
    #[allow(clippy::cast_precision_loss, reason = "no bench has 2^52 of them")]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is an index")]
    let index = (sorted.len() as f64 * part) as usize;
    sorted[index.min(sorted.len() - 1)]
}
