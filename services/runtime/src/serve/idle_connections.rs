//! All connections of a server, so that the one that has been idle for longest can be closed for a new one.
//!
//! Any client that reaches the port can open connections and leave them idle. They must not keep others out, health checks least
//! of all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::activity::Activity;

/// All connections of a server.
#[derive(Default)]
pub(super) struct IdleConnections(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    next: u64,
    by_number: HashMap<u64, Arc<Entry>>,
}

struct Entry {
    activity: Arc<Activity>,
    evict: Notify,
}

/// One connection's entry, until it is dropped.
pub(super) struct Registration {
    connections: Arc<IdleConnections>,
    number: u64,
    entry: Arc<Entry>,
}

// === impl IdleConnections ===

impl IdleConnections {
    pub(super) fn register(self: &Arc<Self>, activity: Arc<Activity>) -> Registration {
        let entry = Arc::new(Entry {
            activity,
            evict: Notify::new(),
        });
        let mut entries = self.entries();
        let number = entries.next;
        entries.next += 1;
        entries.by_number.insert(number, entry.clone());
        Registration {
            connections: self.clone(),
            number,
            entry,
        }
    }

    /// Asks the connection that has been idle for longest to close. A connection with a call in flight is not idle, and there
    /// are fewer calls than connections.
    pub(super) fn evict_oldest_idle(&self) {
        let entries = self.entries();
        let idle = entries.by_number.values().filter_map(|entry| {
            let since = entry.activity.idle_since()?;
            Some((since, entry))
        });
        if let Some((_, entry)) = idle.min_by_key(|(since, _)| *since) {
            entry.evict.notify_one();
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Registration ===

impl Registration {
    /// Resolves when this connection is evicted.
    pub(super) async fn evicted(&self) {
        self.entry.evict.notified().await;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.connections.entries().by_number.remove(&self.number);
    }
}
