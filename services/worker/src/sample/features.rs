//! What a recording says in two numbers.

use serde::{Deserialize, Serialize};

use super::recording::Recording;

/// A subject's features. Times are in milliseconds, the slope in milliseconds a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Features {
    /// The subject's number, from the file's name.
    pub subject: String,
    /// How many days were recorded.
    pub days: usize,
    /// The mean reaction time.
    pub mean_ms: f64,
    /// The fitted reaction time on day 0.
    pub intercept_ms: f64,
    /// How much slower the subject gets with each day.
    pub slope_ms_per_day: f64,
}

impl Features {
    /// The features of a recording, by ordinary least squares. `stem` is the file's name without its extension.
    pub fn from_recording(stem: &str, recording: &Recording) -> Self {
        let days = recording.points.len();
        #[allow(clippy::cast_precision_loss, reason = "far fewer than 2^52 lines")]
        let n = days as f64;
        let points = recording.points.iter();
        let mean_day = points.clone().map(|(day, _)| f64::from(*day)).sum::<f64>() / n;
        let mean_ms = points.map(|(_, ms)| ms).sum::<f64>() / n;
        let (mut products, mut squares) = (0.0, 0.0);
        for (day, ms) in &recording.points {
            let distance = f64::from(*day) - mean_day;
            products += distance * (ms - mean_ms);
            squares += distance * distance;
        }
        // Days are distinct and at least three, so the squares are never zero.
        let slope_ms_per_day = products / squares;
        Self {
            subject: stem.strip_prefix("subject-").unwrap_or(stem).to_owned(),
            days,
            mean_ms,
            intercept_ms: mean_ms - slope_ms_per_day * mean_day,
            slope_ms_per_day,
        }
    }

    /// In one line for people.
    pub fn summary(&self) -> String {
        format!(
            "subject {}: slope {:+.2} ms/day over {} days",
            self.subject, self.slope_ms_per_day, self.days
        )
    }
}
