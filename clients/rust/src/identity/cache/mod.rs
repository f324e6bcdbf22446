//! Caches one token for each audience. All waiting calls share one fetch, and a token is renewed before it expires.

mod slot;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;

use self::slot::{Lookup, Slot};
use super::{TokenSource, error::Error, token::IdToken};

/// A source whose tokens are cached.
///
/// A fetch runs in its own task: a caller that stops waiting does not affect the others, and all waiting callers share its
/// result, an error too. A token is renewed in the background five minutes before it expires. While renewals fail, or the
/// fetch after a refusal fails, the token stays in use as long as it is valid.
#[derive(Debug)]
pub struct Cached<S> {
    source: Arc<S>,
    // A service has a handful of audiences, all from its settings, so nothing needs to be evicted.
    slots: RwLock<HashMap<String, Arc<Slot<S>>>>,
}

impl<S: TokenSource> Cached<S> {
    /// Caches the tokens of `source`.
    pub fn new(source: S) -> Self {
        Self { source: Arc::new(source), slots: RwLock::default() }
    }

    fn slot(&self, audience: &str) -> Arc<Slot<S>> {
        let known = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = known.get(audience) {
            return slot.clone();
        }
        drop(known);
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let slot = || Slot::new(self.source.clone(), audience).into();
        slots.entry(audience.to_owned()).or_insert_with(slot).clone()
    }
}

#[async_trait]
impl<S: TokenSource> TokenSource for Cached<S> {
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error> {
        let lookup = self.slot(audience).lookup();
        match lookup {
            Lookup::Hit(token) => Ok(token),
            Lookup::Miss(fetch) => fetch.result().await,
        }
    }

    fn ready(&self, audience: &str) -> Option<IdToken> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.get(audience)?.ready()
    }

    fn kind(&self) -> &'static str {
        self.source.kind()
    }

    fn describe(&self) -> String {
        self.source.describe()
    }

    fn invalidate(&self, audience: &str, token: &IdToken) -> bool {
        self.slot(audience).invalidate(token)
    }
}
