//! One run for all calls with one key that arrive while it lasts: two calls, one run, the same result.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use brigade_proto::v1::ProcessResponse;
use brigade_telemetry::carried;
use futures::{FutureExt as _, future::Shared};
use tokio::{sync::oneshot, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument as _;

use crate::{
    error::{DEFAULT_RETRY_AFTER, ProcessError},
    job::{Deadline, Progress},
};

/// The result of a run, for all calls that wait for it.
pub(crate) type SharedResult = Result<ProcessResponse, Arc<ProcessError>>;

/// The runs in flight, by idempotency key.
#[derive(Clone, Debug, Default)]
pub(crate) struct InFlight(Arc<Mutex<HashMap<String, Weak<SharedRun>>>>);

/// A run in flight, held by all calls that wait for it. It stops when the last of them drops it.
#[derive(Debug)]
pub(crate) struct SharedRun {
    answer: Shared<oneshot::Receiver<SharedResult>>,
    /// No call may wait for this run any longer, whatever its own deadline.
    pub(crate) latest: Instant,
    deadline: Arc<Deadline>,
    pub(crate) progress: Arc<Progress>,
    key: String,
    in_flight: InFlight,
    _stops: DropGuard,
}

// === impl InFlight ===

impl InFlight {
    /// Joins the run of this key, or starts one. `start` makes the work; it is not called when there is a run.
    ///
    /// The work is its own task, so that no waiting call owns it. `latest` is the latest end of a new run.
    pub(crate) fn join<W>(
        &self,
        key: &str,
        deadline: Instant,
        latest: Instant,
        start: impl FnOnce(Arc<Deadline>, Arc<Progress>) -> Result<W, ProcessError>,
    ) -> Result<Arc<SharedRun>, ProcessError>
    where
        W: Future<Output = SharedResult> + Send + 'static,
    {
        let mut runs = self.lock();
        if let Some(run) = runs.get(key).and_then(Weak::upgrade) {
            let deadline = deadline.min(run.latest);
            run.deadline.send_modify(|at| *at = deadline.max(*at));
            return Ok(run);
        }
        let end = Arc::new(Deadline::new(deadline));
        let progress = Arc::new(Progress::default());
        let work = start(Arc::clone(&end), Arc::clone(&progress))?;
        let (tell, answer) = oneshot::channel();
        let stop = CancellationToken::new();
        let run = Arc::new(SharedRun {
            answer: answer.shared(),
            latest,
            deadline: end,
            progress,
            key: key.to_owned(),
            in_flight: self.clone(),
            _stops: stop.clone().drop_guard(),
        });
        let this = Arc::downgrade(&run);
        runs.insert(key.to_owned(), Weak::clone(&this));
        let (in_flight, key) = (self.clone(), key.to_owned());
        tokio::spawn(carried(
            async move {
                let answer = tokio::select! {
                    biased;
                    // No call waits any more: the work is dropped here.
                    () = stop.cancelled() => return,
                    answer = work => answer,
                };
                // A call that arrives from here on starts another run.
                in_flight.remove_if(&key, |there| Weak::ptr_eq(there, &this));
                // No call waits any more when it cannot be sent.
                let _ = tell.send(answer);
            }
            .in_current_span(),
        ));
        Ok(run)
    }

    fn remove_if(&self, key: &str, condition: impl FnOnce(&Weak<SharedRun>) -> bool) {
        let mut runs = self.lock();
        if runs.get(key).is_some_and(condition) {
            runs.remove(key);
        }
    }

    /// The map is consistent at any time, so a panic while it is locked does no harm.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Weak<SharedRun>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl SharedRun ===

impl SharedRun {
    /// Waits for the run's result.
    pub(crate) async fn result(&self) -> SharedResult {
        if let Ok(answer) = self.answer.clone().await {
            return answer;
        }
        let why = "this worker shut down before the work was done";
        Err(ProcessError::retry_after(DEFAULT_RETRY_AFTER, why).into())
    }
}

impl Drop for SharedRun {
    fn drop(&mut self) {
        // A run that was started meanwhile is held by its calls.
        let is_gone = |there: &Weak<Self>| there.strong_count() == 0;
        self.in_flight.remove_if(&self.key, is_gone);
    }
}
