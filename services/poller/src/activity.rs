//! What this instance does: its calls in flight, its last poll, and events for those who watch.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use brigade_proto::v1::{LastPoll, PollFinished, PollResponse, PollStarted};
use brigade_storage::Object;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast},
    time::Instant,
};

use crate::{error::PollError, wire};

/// Events that a watcher may be behind.
const MAX_BEHIND: usize = 1_024;
/// Watchers at once.
pub(crate) const MAX_WATCHERS: usize = 16;

/// An object generation of the inbox's bucket.
type Key = (String, i64);

/// What this instance does. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    /// Gets the events of every poll too.
    pub(crate) observer: Option<broadcast::Sender<PollResponse>>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    calls: Mutex<HashMap<Key, Arc<Call>>>,
    last_poll: Mutex<Option<LastPoll>>,
    events: broadcast::Sender<Event>,
    watchers: Arc<Semaphore>,
}

/// An object that the worker has now.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) object: Arc<Object>,
    pub(crate) attempts: u32,
    pub(crate) began: Instant,
}

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Poll(Arc<PollResponse>),
    Dispatched(Arc<Call>),
}

/// Events from now on.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) events: broadcast::Receiver<Event>,
    _place: OwnedSemaphorePermit,
}

/// A call in flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlightCall {
    shared: Arc<Shared>,
    key: Key,
}

// === impl Activity ===

impl Default for Activity {
    fn default() -> Self {
        let shared = Shared {
            calls: Mutex::default(),
            last_poll: Mutex::default(),
            events: broadcast::channel(MAX_BEHIND).0,
            watchers: Arc::new(Semaphore::new(MAX_WATCHERS)),
        };
        Self { observer: None, shared: Arc::new(shared) }
    }
}

impl Activity {
    /// The worker gets an object now, after so many attempts.
    pub(crate) fn begin_call(&self, object: Arc<Object>, attempts: u32) -> InFlightCall {
        let key = (object.name.clone(), object.generation);
        let call = Arc::new(Call { object, attempts, began: Instant::now() });
        lock(&self.shared.calls).insert(key.clone(), call.clone());
        if self.is_watched() {
            // It is no error that the last watcher has just gone.
            let _ = self.shared.events.send(Event::Dispatched(call));
        }
        InFlightCall { shared: self.shared.clone(), key }
    }

    /// How long the worker has had this generation.
    pub(crate) fn in_flight(&self, object: &Object) -> Option<Duration> {
        let key = (object.name.clone(), object.generation);
        lock(&self.shared.calls).get(&key).map(|call| call.began.elapsed())
    }

    /// All calls in flight, the longest first.
    pub(crate) fn calls(&self) -> Vec<Arc<Call>> {
        let mut calls: Vec<_> = lock(&self.shared.calls).values().cloned().collect();
        calls.sort_by(|one, two| (one.began, &one.object.name).cmp(&(two.began, &two.object.name)));
        calls
    }

    /// An event of a poll, or the settlement of a named object.
    pub(crate) fn observe(&self, response: &PollResponse) {
        // It is no error that nothing observes.
        if let Some(observer) = &self.observer {
            let _ = observer.send(response.clone());
        }
        if self.is_watched() {
            let _ = self.shared.events.send(Event::Poll(Arc::new(response.clone())));
        }
    }

    /// A poll ended so.
    pub(crate) fn poll_ended(
        &self,
        started: PollStarted,
        took: Duration,
        end: Result<PollFinished, &PollError>,
    ) {
        let end_time = started.start_time.as_ref().and_then(wire::from_timestamp);
        let end_time = end_time.and_then(|at| at.checked_add(took).ok()).map(wire::timestamp);
        let (finished, error) = match end {
            Ok(finished) => (Some(finished), String::new()),
            Err(error) => (None, error.to_string()),
        };
        let last = LastPoll { started: Some(started), finished, error, end_time };
        *lock(&self.shared.last_poll) = Some(last);
    }

    /// The last poll that ended.
    pub(crate) fn last_poll(&self) -> Option<LastPoll> {
        lock(&self.shared.last_poll).clone()
    }

    /// Events from now on; nothing when too many watch.
    pub(crate) fn watch(&self) -> Option<Watcher> {
        let place = self.shared.watchers.clone().try_acquire_owned().ok()?;
        Some(Watcher { events: self.shared.events.subscribe(), _place: place })
    }

    fn is_watched(&self) -> bool {
        self.shared.events.receiver_count() > 0
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl InFlightCall ===

impl Drop for InFlightCall {
    fn drop(&mut self) {
        lock(&self.shared.calls).remove(&self.key);
    }
}
