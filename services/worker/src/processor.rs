//! The trait that a worker implements, and what it returns.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use brigade_proto::v1::ProcessResponse;

use crate::{error::ProcessError, job::Job, text};

/// Processes one object and returns the outcome.
///
/// A call may be repeated for the same generation of an object, and two may run at once: their [`Job::key`] is the same, and
/// they must have the effect of one. [`Job::write`] ensures that.
///
/// A panic counts as [`ProcessError::internal`] with the panic's message. When the time for the object runs out, or the
/// caller goes away, the future is dropped at its next await; [`Job::cancelled`] stops work that runs elsewhere.
///
/// ```
/// use brigade_worker::{Job, Outcome, ProcessError, Processor};
///
/// /// Counts the lines of a text.
/// struct Lines;
///
/// impl Processor for Lines {
///     type Error = ProcessError;
///
///     async fn process(&self, job: &Job) -> Result<Outcome, ProcessError> {
///         let content = job.bytes(1024 * 1024).await?;
///         let text = std::str::from_utf8(&content)
///             .map_err(|error| ProcessError::refuse(format!("it is not UTF-8: {error}")))?;
///         let count = text.lines().count().to_string();
///         let uri = job.write("lines.txt", count.clone(), "text/plain").await?;
///         Ok(Outcome::summary(format!("{count} lines")).output(uri).label("lines", count))
///     }
/// }
///
/// # use std::sync::Arc;
/// # use brigade_sim::Sim;
/// # use brigade_worker::{WorkerSettings, routes};
/// let router = routes(Lines, Arc::new(Sim::new()), &WorkerSettings::default());
/// # let _: axum::Router = router;
/// ```
pub trait Processor: Send + Sync + 'static {
    /// Its error: [`ProcessError`], or one that converts into it.
    type Error: Into<ProcessError> + Send;

    /// How the outputs are named below the output location, unless `BRIGADE_OUTPUT_NAME` is set: text with `{path}` (the
    /// object's name below its inbox), `{stem}` (the same without its extension) and `{file}` (what [`Job::write`] names).
    fn output_name(&self) -> &'static str {
        "{path}/{file}"
    }

    /// Waits until it can process: health reports that the worker serves from then on, and calls wait until then.
    fn ready(&self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Ends what it runs besides jobs. The worker calls it when it ends, after the last job; `grace` is the time that is left.
    fn close(&self, grace: Duration) -> impl Future<Output = ()> + Send {
        let _ = grace;
        async {}
    }

    /// Processes one object generation.
    fn process(&self, job: &Job) -> impl Future<Output = Result<Outcome, Self::Error>> + Send;
}

impl<P: Processor> Processor for Arc<P> {
    type Error = P::Error;

    fn output_name(&self) -> &'static str {
        P::output_name(self)
    }

    fn ready(&self) -> impl Future<Output = ()> + Send {
        P::ready(self)
    }

    fn close(&self, grace: Duration) -> impl Future<Output = ()> + Send {
        P::close(self, grace)
    }

    fn process(&self, job: &Job) -> impl Future<Output = Result<Outcome, Self::Error>> + Send {
        P::process(self, job)
    }
}

/// The outcome for an accepted object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// One line for the user.
    pub summary: String,
    /// `gs://` URIs of what was written.
    pub outputs: Vec<String>,
    /// Figures and tags. The poller's log line of the object has the first 16 by name, names up to 64 bytes and values up
    /// to 256.
    pub labels: BTreeMap<String, String>,
}

/// A response has 64 KiB at most. What exceeds these limits is left out, so that a processed object always counts as
/// processed.
const MAX_SUMMARY: usize = 1_024;
const MAX_OUTPUTS: usize = 32 * 1_024;
const MAX_LABELS: usize = 16 * 1_024;
/// The label that counts the outputs and labels that were left out.
const OMITTED: &str = "omitted";

// === impl Outcome ===

impl Outcome {
    /// An outcome with this summary.
    pub fn summary(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), ..Self::default() }
    }

    /// Adds the `gs://` URI of something that was written.
    #[must_use]
    pub fn output(mut self, uri: impl Into<String>) -> Self {
        self.outputs.push(uri.into());
        self
    }

    /// Adds a figure or a tag.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// The response, within a message's limit: the summary's first line, and as many outputs and labels as there is
    /// remaining for. The label `omitted` counts the others.
    pub(crate) fn into_response(self) -> ProcessResponse {
        let mut remaining = MAX_OUTPUTS;
        let fits = |uri: &String| reserve(&mut remaining, uri.len());
        let (outputs, more): (Vec<_>, Vec<_>) = self.outputs.into_iter().partition(fits);
        let mut remaining = MAX_LABELS;
        let (mut labels, others): (BTreeMap<_, _>, BTreeMap<_, _>) = self
            .labels
            .into_iter()
            .partition(|(key, value)| reserve(&mut remaining, key.len() + value.len()));
        let omitted = more.len() + others.len();
        if omitted > 0 {
            labels.insert(OMITTED.to_owned(), omitted.to_string());
        }
        let line = text::lines(self.summary.as_bytes()).into_iter().next();
        ProcessResponse {
            summary: text::cut(&line.unwrap_or_default(), MAX_SUMMARY).to_owned(),
            outputs,
            labels: labels.into_iter().collect(),
        }
    }
}

/// Subtracts `size`, and what protobuf adds to it, from `remaining` if it fits.
fn reserve(remaining: &mut usize, size: usize) -> bool {
    let rest = remaining.checked_sub(size + 16);
    *remaining = rest.unwrap_or(*remaining);
    rest.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_one_line() {
        let response = Outcome::summary("\n\u{1b}[32mdone\u{1b}[0m\nand more\n").into_response();
        assert_eq!(response.summary, "done");
    }

    #[test]
    fn ten_thousand_outputs_still_fit_into_a_message() {
        let mut outcome = Outcome::summary("é".repeat(100_000)).label("big", "x".repeat(100_000));
        for i in 0..10_000 {
            outcome = outcome.output(format!("gs://data/features/{i}.json"));
        }
        let response = outcome.into_response();
        let encoded = serde_json::to_vec(&response).unwrap();
        assert!(encoded.len() < 64 * 1024, "{}", encoded.len());
        let omitted = response.labels["omitted"].parse::<usize>().unwrap();
        assert_eq!(response.outputs.len() + omitted, 10_001);
    }
}
