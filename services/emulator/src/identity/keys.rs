//! The issuer's published keys, and their rotation.
//!
//! They are made when they are first needed: that takes a while, and who wants storage alone need not wait for it.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::key::Key;

/// Two keys, as Google publishes them: one signs, the other one did.
#[derive(Debug, Default)]
pub(super) struct Keys(Mutex<Option<Pair>>);

#[derive(Debug)]
struct Pair {
    signing: Arc<Key>,
    retired: Arc<Key>,
}

impl Keys {
    pub(super) fn signing(&self) -> Arc<Key> {
        self.with(|pair| Arc::clone(&pair.signing))
    }

    /// The published key of this id.
    pub(super) fn find(&self, id: &str) -> Option<Arc<Key>> {
        self.with(|pair| {
            let published = [&pair.signing, &pair.retired];
            published.into_iter().find(|key| key.id == id).cloned()
        })
    }

    /// The published keys as a JWK set.
    pub(super) fn published(&self) -> Value {
        self.with(|pair| json!({"keys": [pair.signing.jwk(), pair.retired.jwk()]}))
    }

    /// Signs with a new key from now on. The one before stays published, the one before that does not.
    pub(super) fn rotate(&self) {
        let fresh = Arc::new(Key::generate());
        self.with(|pair| pair.retired = std::mem::replace(&mut pair.signing, fresh));
    }

    fn with<T>(&self, look: impl FnOnce(&mut Pair) -> T) -> T {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(keys.get_or_insert_with(|| Pair {
            signing: Arc::new(Key::generate()),
            retired: Arc::new(Key::generate()),
        }))
    }
}
