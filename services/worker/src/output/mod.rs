//! The outputs of runs: where they go, how they are named and marked, and how those of a run that fails are removed.

mod cleanup;
mod end;
mod ledger;
mod name;
mod retry;
mod source;
mod taken;
mod write;

use std::{
    fmt,
    sync::{Arc, Mutex, Once},
    time::Duration,
};

use brigade_runtime::settings::names;
use brigade_storage::{Bucket, Kind, Location, Object, Store};
use jiff::Timestamp;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use self::{ledger::Ledger, write::Deferred};
use crate::error::ProcessError;

pub(crate) use end::RunEnd;
pub use name::{InvalidOutputName, OutputName};
pub(crate) use source::Source;
pub use taken::Taken;

/// How long a run that failed may remove its outputs.
const CLEANUP_TIME: Duration = Duration::from_secs(5);

/// What the outputs of all runs of a worker have in common.
#[derive(Debug)]
pub(crate) struct OutputPolicy {
    pub(crate) location: Option<Location>,
    pub(crate) name: Result<OutputName, InvalidOutputName>,
    pub(crate) taken: Taken,
    pub(crate) cleanups: Cleanups,
    warned: Warned,
}

/// Warnings that appear once per process.
#[derive(Debug)]
struct Warned {
    kept: Once,
    no_list: Once,
}

/// Removals that outlive their runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cleanups(TaskTracker);

/// The outputs of one run.
pub(crate) struct Outputs {
    policy: Arc<OutputPolicy>,
    store: Arc<dyn Store>,
    source: Source,
    run: String,
    ledger: Ledger,
    deferred: Mutex<Vec<Deferred>>,
    /// When this run began, by this worker's clock.
    began: Timestamp,
}

// === impl Cleanups ===

impl Cleanups {
    /// Waits for those that are at work, for a few seconds.
    pub(crate) async fn wait(&self) {
        self.0.close();
        // What remains names its object, and that object's next run removes it.
        let _ = timeout(CLEANUP_TIME, self.0.wait()).await;
    }
}

// === impl OutputPolicy ===

impl OutputPolicy {
    pub(crate) fn new(
        location: Option<Location>,
        name: Result<OutputName, InvalidOutputName>,
        taken: Taken,
        cleanups: Cleanups,
    ) -> Self {
        let warned = Warned { kept: Once::new(), no_list: Once::new() };
        Self { location, name, taken, cleanups, warned }
    }
}

// === impl Outputs ===

impl Outputs {
    pub(crate) fn new(policy: Arc<OutputPolicy>, store: Arc<dyn Store>, source: Source) -> Self {
        let run = format!("{:016x}", fastrand::u64(..));
        Self {
            policy,
            store,
            source,
            run,
            ledger: Ledger::default(),
            deferred: Mutex::default(),
            began: Timestamp::now(),
        }
    }

    pub(crate) fn location(&self) -> Option<&Location> {
        self.policy.location.as_ref()
    }

    /// The object's name below its inbox.
    pub(crate) fn path(&self) -> &str {
        self.source.path()
    }

    /// 16 hex digits.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// The object itself, as long as it is the one that this run works on.
    async fn live_source(&self) -> Result<Object, ProcessError> {
        let Source { bucket, name, generation, .. } = &self.source;
        let bucket = self.store.bucket(bucket);
        match find(&*bucket, name).await {
            Ok(Some(live)) if live.generation == *generation => Ok(live),
            Err(error) if *error.kind() != Kind::PermissionDenied => Err(error.into()),
            // A 403 too: the object was there when the run began, and an account that may not list a bucket is answered 403
            // about an object that is gone.
            _ => Err(ProcessError::superseded(format!(
                "{} was replaced or removed while it was processed; the outputs of this run are removed",
                self.source.object_ref()
            ))),
        }
    }
}

impl fmt::Debug for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outputs").field("run", &self.run).finish_non_exhaustive()
    }
}

/// An output must not be lost in silence, and no object is to blame for a setting.
pub(crate) fn no_output(what: &str) -> ProcessError {
    ProcessError::misconfigured(format!(
        "{what}, but this worker has no output location; set {} (--output) to gs://BUCKET/PREFIX/",
        names::OUTPUT
    ))
}

/// The live object of this name, if there is one.
async fn find(bucket: &dyn Bucket, name: &str) -> brigade_storage::Result<Option<Object>> {
    match retry::transient(|| bucket.get(name)).await {
        Ok(live) => Ok(Some(live)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
