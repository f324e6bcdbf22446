//! All connections of a server, so that the one that has been idle for longest can be closed for a new one.
//!
//! Any client that reaches the port can open connections and leave them idle. They must not keep others out, health checks least
//! of all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::activity::Activity;

/// All connections of a server.
#[derive(Default)]
pub(super) struct IdleConnections(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    next: u64,
    by_number: HashMap<u64, Arc<Activity>>,
}

/// One connection's entry, until it is dropped.
pub(super) struct Registration {
    connections: Arc<IdleConnections>,
    number: u64,
}

// === impl IdleConnections ===

impl IdleConnections {
    pub(super) fn register(self: &Arc<Self>, activity: Arc<Activity>) -> Registration {
        let mut entries = self.entries();
        let number = entries.next;
        entries.next += 1;
        entries.by_number.insert(number, activity);
        Registration { connections: self.clone(), number }
    }

    /// Asks the connection that has been idle for longest to close. A connection with a call in flight is not idle, and there
    /// are fewer calls than connections.
    pub(super) fn evict_oldest_idle(&self) {
        let entries = self.entries();
        let connections = entries.by_number.values();
        let idle = connections.filter_map(|activity| Some((activity.idle_since()?, activity)));
        if let Some((_, oldest)) = idle.min_by_key(|(since, _)| *since) {
            oldest.evict();
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.connections.entries().by_number.remove(&self.number);
    }
}
