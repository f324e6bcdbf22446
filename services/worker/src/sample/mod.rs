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
const MAX_SIZE: usize = 1024 * 1024;

/// Writes `<name>.json` with a subject's features for each recording.
#[derive(Clone, Copy, Debug, Default)]
pub struct SleepStudy;

impl Processor for SleepStudy {
    type Error = ProcessError;

    async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
        let content = job.bytes(MAX_SIZE).await?;
        let text = std::str::from_utf8(&content).map_err(|error| {
            ProcessError::refuse(format!("byte {}: not UTF-8", error.valid_up_to()))
        })?;
        let recording: Recording = text
            .parse()
            .map_err(|error: Malformed| ProcessError::refuse(error.to_string()))?;
        let stem = job
            .file_name()
            .strip_suffix(".csv")
            .unwrap_or(job.file_name());
        let features = Features::of(stem, &recording);
        let json = serde_json::to_vec_pretty(&features)
            .map_err(|error| ProcessError::internal(error.to_string()))?;
        let uri = job
            .write(&format!("{stem}.json"), json.into(), "application/json")
            .await?;
        Ok(Outcome::summary(features.summary()).output(uri))
    }
}

#[cfg(test)]
mod tests;
