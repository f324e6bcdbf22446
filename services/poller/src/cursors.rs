//! Where polls that ended early were in their listings, so that the end of a long one has its turn.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Prefixes that are remembered, at most.
const MOST: usize = 1_000;

/// The name at which the next poll of each prefix begins.
#[derive(Debug, Default)]
pub(crate) struct Cursors(Mutex<HashMap<String, String>>);

// === impl Cursors ===

impl Cursors {
    /// Empty: at the first name.
    pub(crate) fn get(&self, prefix: &str) -> String {
        self.lock().get(prefix).cloned().unwrap_or_default()
    }

    /// Remembers where the next poll begins; nothing after a whole listing.
    pub(crate) fn set(&self, prefix: &str, name: Option<String>) {
        let mut cursors = self.lock();
        let Some(name) = name else {
            cursors.remove(prefix);
            return;
        };
        if cursors.len() >= MOST {
            cursors.clear();
        }
        cursors.insert(prefix.to_owned(), name);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
