//! One run for all calls of one key that come while it lasts: two calls, one run, the same answer.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use brigade_proto::v1::ProcessResponse;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument as _;

use crate::{
    error::{A_MOMENT, ProcessError},
    job::Progress,
};

/// What a run answers, to everybody who waits for it.
pub(crate) type Answer = Result<ProcessResponse, Arc<ProcessError>>;

/// The runs under way, by idempotency key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flights(Arc<Mutex<HashMap<String, Weak<Flight>>>>);

/// A run under way, held by everybody who waits for it. It is stopped when the last of them lets go.
pub(crate) struct Flight {
    answer: watch::Receiver<Option<Answer>>,
    /// No call may wait for this run any longer, whatever its own deadline.
    latest: Instant,
    deadline: Arc<Deadline>,
    progress: Arc<Progress>,
    key: String,
    flights: Flights,
    _stops: DropGuard,
}

/// When the last call that waits gives up.
#[derive(Debug)]
pub(crate) struct Deadline(Mutex<Instant>);

// === impl Flights ===

impl Flights {
    /// Joins the run of this key, or starts one. `start` makes the work; it is not called when there is a run.
    ///
    /// The work is a task of its own, so that it belongs to nobody who waits. `latest` is when the run that is started
    /// ends at the latest.
    pub(crate) fn join<W>(
        &self,
        key: &str,
        deadline: Instant,
        latest: Instant,
        start: impl FnOnce(Arc<Deadline>, Arc<Progress>) -> Result<W, ProcessError>,
    ) -> Result<Arc<Flight>, ProcessError>
    where
        W: Future<Output = Answer> + Send + 'static,
    {
        let mut open = self.open();
        if let Some(flight) = open.get(key).and_then(Weak::upgrade) {
            flight.deadline.extend(deadline.min(flight.latest));
            return Ok(flight);
        }
        let end = Arc::new(Deadline(Mutex::new(deadline)));
        let progress = Arc::new(Progress::default());
        let work = start(Arc::clone(&end), Arc::clone(&progress))?;
        let (tell, answer) = watch::channel(None);
        let stop = CancellationToken::new();
        let flight = Arc::new(Flight {
            answer,
            latest,
            deadline: end,
            progress,
            key: key.to_owned(),
            flights: self.clone(),
            _stops: stop.clone().drop_guard(),
        });
        let this = Arc::downgrade(&flight);
        open.insert(key.to_owned(), Weak::clone(&this));
        let (flights, key) = (self.clone(), key.to_owned());
        tokio::spawn(
            async move {
                let answer = tokio::select! {
                    // Nobody waits any more. The work is dropped here.
                    () = stop.cancelled() => return,
                    answer = work => answer,
                };
                // A call that comes from here on starts a run of its own.
                flights.close(&key, &this);
                tell.send_replace(Some(answer));
            }
            .in_current_span(),
        );
        Ok(flight)
    }

    fn close(&self, key: &str, flight: &Weak<Flight>) {
        let mut open = self.open();
        if open
            .get(key)
            .is_some_and(|there| Weak::ptr_eq(there, flight))
        {
            open.remove(key);
        }
    }

    /// A panic while it is held leaves nothing half done.
    fn open(&self) -> MutexGuard<'_, HashMap<String, Weak<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Flight ===

impl Flight {
    /// No call waits for longer than this.
    pub(crate) fn latest(&self) -> Instant {
        self.latest
    }

    /// How far the run is.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Waits for the run's answer.
    pub(crate) async fn answer(&self) -> Answer {
        let mut answer = self.answer.clone();
        let told = answer.wait_for(Option::is_some).await;
        told.ok()
            .and_then(|answer| answer.clone())
            .unwrap_or_else(|| {
                Err(Arc::new(ProcessError::retry_after(
                    A_MOMENT,
                    "this worker went down before the work was done",
                )))
            })
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut open = self.flights.open();
        // A run that was started meanwhile is held by somebody.
        if open
            .get(&self.key)
            .is_some_and(|there| there.strong_count() == 0)
        {
            open.remove(&self.key);
        }
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight").finish_non_exhaustive()
    }
}

// === impl Deadline ===

impl Deadline {
    #[cfg(test)]
    pub(crate) fn at(instant: Instant) -> Arc<Self> {
        Arc::new(Self(Mutex::new(instant)))
    }

    pub(crate) fn get(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn extend(&self, to: Instant) {
        let mut at = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *at = to.max(*at);
    }
}
