//! The sample: reads one subject's recording of the sleep-deprivation study, checks it, and writes its features.

mod features;
mod recording;

use crate::{
    error::ProcessError,
    job::Job,
    processor::{Outcome, Processor},
};

pub use features::Features;
pub use recording::{Malformed, Recording};

/// A recording has ten lines; this is plenty.
const MAX_SIZE: u64 = 1024 * 1024;

/// Writes `<path>.json`, without the extension of the path, with a subject's features for each recording.
#[derive(Clone, Copy, Debug, Default)]
pub struct SleepStudy;

impl Processor for SleepStudy {
    type Error = ProcessError;

    fn output_name(&self) -> &'static str {
        "{stem}.json"
    }

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        let content = job.bytes(MAX_SIZE).await?;
        let recording = Recording::read(&content).map_err(|error| refusal(&error))?;
        let name = job.file_name();
        let stem = name.strip_suffix(".csv").unwrap_or(name);
        let features = Features::from_recording(stem, &recording);
        let json = serde_json::to_vec_pretty(&features)
            .map_err(|error| ProcessError::internal(error.to_string()))?;
        let uri = job.write("features.json", json, "application/json").await?;
        Ok(Outcome::summary(features.summary()).output(uri))
    }
}

/// Every refusal begins with its place in the file, if it has one.
fn refusal(error: &Malformed) -> ProcessError {
    let message = error.to_string();
    let refusal = ProcessError::refuse(&message);
    match message.split_once(": ") {
        Some((place, what)) => refusal.with_violation(place, what),
        None => refusal,
    }
}

#[cfg(test)]
mod tests;
