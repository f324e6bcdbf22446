//! Removes outputs: those of a run that failed, and leftovers of earlier runs of the same object.

use std::{fmt, sync::Arc, time::Duration};

use brigade_storage::{
    Bucket, Error, Kind, ListRequest, Object, Pinned,
    provenance::{self, RUN},
};
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use tokio::time::sleep;

use super::{Outputs, find, ledger::Removal, retry};
use crate::error::ProcessError;

/// Removals at once.
const PARALLEL: usize = 16;
/// Pages of one list. An object's folder holds its own outputs, and those of objects whose names begin with its own and a
/// slash.
const MAX_PAGES: usize = 100;
/// How long a write that was stopped may take to be applied before it is looked for.
const LATE: Duration = Duration::from_millis(300);

// === impl Outputs ===

impl Outputs {
    /// After the last write: the object must still be live, and leftovers of earlier runs are removed.
    pub(super) async fn check(&self) -> Result<(), ProcessError> {
        if self.ledger.is_empty() {
            return Ok(());
        }
        let live = self.live_source().await?;
        self.remove_leftovers(self.leftovers(false).await?, &live).await
    }

    /// Removes what this run wrote.
    pub(super) async fn discard(&self) {
        let Some(bucket) = self.output_bucket() else { return };
        let removals = self.ledger.removals();
        if removals.iter().any(|removal| matches!(removal, Removal::InFlight { .. })) {
            sleep(LATE).await;
        }
        let done: Vec<_> = stream::iter(removals)
            .map(|removal| undo(Arc::clone(&bucket), self.run.clone(), removal))
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        let removed = done.iter().filter(|done| matches!(done, Ok(true))).count();
        self.log_removed(removed, "removed the outputs of a run that did not end well");
        if let Some(error) = done.into_iter().find_map(Result::err) {
            self.warn_left(&error);
        }
    }

    /// Removes what earlier runs of an object that is refused left. Its refusal stands, whatever comes of this.
    pub(super) async fn sweep_refused(&self) {
        let swept = async {
            let leftovers = self.leftovers(true).await?;
            if leftovers.is_empty() {
                return Ok(());
            }
            self.remove_leftovers(leftovers, &self.live_source().await?).await
        };
        if let Err(error) = swept.await {
            self.warn_left(&error);
        }
    }

    /// The folder of this object's outputs, if there is one.
    pub(super) fn folder(&self) -> Option<String> {
        let template = self.policy.name.as_ref().ok()?;
        template.folder(self.location()?, self.path())
    }

    pub(super) fn warn_left(&self, why: &dyn fmt::Display) {
        tracing::warn!(
            key = self.source.key(), run = self.run, %why,
            "cannot remove outputs of a run that did not end well; they have this run in brigade-run; a next run of the object removes or replaces them, if there is one"
        );
    }

    /// Outputs of this object that this run did not write, and of no newer upload. `refused`: also those that it did write.
    async fn leftovers(&self, refused: bool) -> Result<Vec<Object>, ProcessError> {
        let (Some(bucket), Some(folder)) = (self.output_bucket(), self.folder()) else {
            return Ok(Vec::new());
        };
        let mut request = ListRequest { prefix: folder, ..ListRequest::default() };
        let mut leftovers = Vec::new();
        for _ in 0..MAX_PAGES {
            let page = match retry::transient(|| bucket.list(&request)).await {
                Ok(page) => page,
                Err(error) if *error.kind() == Kind::PermissionDenied => {
                    self.warn_no_list(&error);
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            leftovers.extend(page.objects.into_iter().filter(|output| {
                let origin = provenance::origin(&output.metadata);
                origin.is_some_and(|origin| {
                    self.source.is_same_object(&origin)
                        && origin.generation <= self.source.generation
                }) && (refused || !self.ledger.has(&output.name))
            }));
            if page.next.is_empty() {
                break;
            }
            request.page_token = page.next;
        }
        Ok(leftovers)
    }

    async fn remove_leftovers(
        &self,
        outputs: Vec<Object>,
        live: &Object,
    ) -> Result<(), ProcessError> {
        let Some(bucket) = self.output_bucket() else { return Ok(()) };
        let leftovers = outputs.into_iter().filter(|output| is_leftover(output, live, self.began));
        let mut removals = stream::iter(leftovers)
            .map(|output| {
                let bucket = Arc::clone(&bucket);
                async move { delete(&*bucket, output.pinned()).await }
            })
            .buffer_unordered(PARALLEL);
        let mut removed = 0;
        while let Some(done) = removals.next().await {
            match done {
                Ok(done) => removed += usize::from(done),
                Err(error) if error.is_transient() => return Err(error.into()),
                Err(error) => self.warn_left(&error),
            }
        }
        self.log_removed(removed, "removed outputs that earlier runs of this object left");
        Ok(())
    }

    fn log_removed(&self, removed: usize, message: &'static str) {
        if removed > 0 {
            tracing::info!(key = self.source.key(), run = self.run, removed, "{message}");
        }
    }

    pub(super) fn output_bucket(&self) -> Option<Arc<dyn Bucket>> {
        Some(self.store.bucket(&self.location()?.bucket))
    }

    fn warn_no_list(&self, error: &Error) {
        self.policy.warned.no_list.call_once(|| {
            tracing::warn!(
                %error,
                "cannot list outputs, so what a run that was killed left stays until its name is written again; fix: grant this worker storage.objects.list on the bucket of its outputs"
            );
        });
    }
}

/// Of the same generation, or written by a run of an older one after that was superseded. What was written before may be a
/// result of an accepted version.
pub(super) fn is_leftover(output: &Object, live: &Object, began: Timestamp) -> bool {
    let origin = provenance::origin(&output.metadata);
    if origin.is_some_and(|origin| origin.generation == live.generation) {
        // A run beside this one, on another instance, may have been accepted.
        return output.created < began;
    }
    output.created > live.created
}

async fn undo(bucket: Arc<dyn Bucket>, run: String, removal: Removal) -> Result<bool, Error> {
    match removal {
        Removal::Written { name, generation } => {
            delete(&*bucket, Pinned { name: &name, generation }).await
        }
        Removal::InFlight { name } => {
            let live = find(&*bucket, &name).await?;
            let own = |live: &Object| live.metadata.get(RUN) == Some(&run);
            match live.filter(own) {
                Some(live) => delete(&*bucket, live.pinned()).await,
                None => Ok(false),
            }
        }
    }
}

/// False when another run has replaced or removed it.
async fn delete(bucket: &dyn Bucket, output: Pinned<'_>) -> Result<bool, Error> {
    match retry::transient(|| bucket.delete(output)).await {
        Ok(()) => Ok(true),
        Err(error) if error.is_not_found() || error.is_precondition() => Ok(false),
        Err(error) => Err(error),
    }
}
