//! The end of a run: what it wrote stays only when it ends well.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{CLEANUP_TIME, Outputs};
use crate::error::{ErrorKind, ProcessError};

/// How much longer a clean-up may take for each output, and for all.
const TIME_EACH: Duration = Duration::from_millis(20);
const MAX_TIME: Duration = Duration::from_mins(2);

/// Removes what a run wrote when it is dropped before [`finish`](Self::finish) returned: the run was stopped.
#[derive(Debug)]
pub(crate) struct RunEnd(Option<Arc<Outputs>>);

// === impl RunEnd ===

impl RunEnd {
    pub(crate) fn new(outputs: Arc<Outputs>) -> Self {
        Self(Some(outputs))
    }

    /// A run that ended well has its outputs checked, and earlier leftovers of its object removed; any other has its own
    /// outputs removed, and when it refused its object for good, those of earlier runs too.
    pub(crate) async fn finish<T>(
        mut self,
        result: Result<T, ProcessError>,
    ) -> Result<T, ProcessError> {
        let Some(outputs) = self.0.clone() else { return result };
        let checked = match result {
            Ok(value) => {
                let written = async {
                    outputs.write_deferred().await?;
                    outputs.check().await
                };
                written.await.map(|()| value)
            }
            Err(error) => Err(error),
        };
        self.0 = None;
        if let Err(error) = &checked {
            let removing = remove(outputs, is_final(error.kind()));
            // Its own task, which a caller that goes away does not stop. A panic of it has been reported.
            if let Some(removing) = removing {
                let _ = removing.await;
            }
        }
        checked
    }
}

impl Drop for RunEnd {
    fn drop(&mut self) {
        if let Some(outputs) = self.0.take() {
            let _ = remove(outputs, false);
        }
    }
}

/// Starts the removal, if there may be anything to remove and the runtime still runs.
fn remove(outputs: Arc<Outputs>, is_final: bool) -> Option<tokio::task::JoinHandle<()>> {
    let sweeps = is_final && outputs.folder().is_some();
    if !sweeps && outputs.ledger.is_empty() {
        return None;
    }
    let runtime = tokio::runtime::Handle::try_current().ok()?;
    let tasks = outputs.policy.cleanups.0.clone();
    let removal = async move {
        let removal = async {
            outputs.discard().await;
            if sweeps {
                outputs.sweep_refused().await;
            }
        };
        // A shutdown waits for a shorter time.
        let each = u32::try_from(outputs.ledger.len()).unwrap_or(u32::MAX);
        let time = CLEANUP_TIME + TIME_EACH.saturating_mul(each).min(MAX_TIME);
        if timeout(time, removal).await.is_err() {
            outputs.warn_left(&"it took too long");
        }
    };
    Some(tasks.spawn_on(removal, &runtime))
}

/// Whether the object goes to `failed/`.
fn is_final(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Refused | ErrorKind::FailedPrecondition | ErrorKind::Internal)
}
