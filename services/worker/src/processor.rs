//! What your code implements.

use std::{collections::BTreeMap, future::Future};

use brigade_proto::v1::ProcessResponse;

use crate::{error::ProcessError, job::Job};

/// Processes objects, one at a time and several at once.
///
/// An object may come again: after a crash, a lost answer, or a duplicate trigger. The same [`Job::key`] means the same
/// bytes, and the work must have one effect; [`Job::write`] takes care of that for outputs.
pub trait Processor: Send + Sync + 'static {
    /// What goes wrong. It says what becomes of the object.
    type Error: Into<ProcessError>;

    /// Processes one object. The future is dropped when the caller gives up or the deadline passes.
    fn process(&self, job: &Job) -> impl Future<Output = Result<Outcome, Self::Error>> + Send;
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// One line for people.
    pub summary: String,
    /// `gs://` URIs of what was written.
    pub outputs: Vec<String>,
    /// Figures and tags of your own choice.
    pub labels: BTreeMap<String, String>,
}

impl Outcome {
    /// An outcome with this line for people.
    pub fn summary(line: impl Into<String>) -> Self {
        Self {
            summary: line.into(),
            ..Self::default()
        }
    }

    /// Adds the `gs://` URI of something that was written.
    #[must_use]
    pub fn output(mut self, uri: impl Into<String>) -> Self {
        self.outputs.push(uri.into());
        self
    }
}

impl From<Outcome> for ProcessResponse {
    fn from(outcome: Outcome) -> Self {
        Self {
            summary: outcome.summary,
            outputs: outcome.outputs,
            labels: outcome.labels.into_iter().collect(),
        }
    }
}
