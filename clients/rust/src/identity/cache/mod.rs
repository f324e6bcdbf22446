//! Keeps tokens: one a audience, fetched once however many wait, renewed before it ends.

mod slot;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;

use self::slot::{Found, Slot};
use super::{TokenSource, error::Error, token::IdToken};

/// A source whose tokens are kept.
///
/// A fetch runs in a task of its own: whoever gives up waiting takes nothing from the others, and all who wait share one
/// answer, also when it is an error. Five minutes before a token ends it is renewed in the background; while renewals
/// fail, or the fetch that a refusal forces, it stays in use as long as it is valid.
#[derive(Debug)]
pub struct Cached<S> {
    source: Arc<S>,
    // A service has a handful of audiences, all of its own settings, so nothing has to be thrown out.
    slots: RwLock<HashMap<String, Arc<Slot>>>,
}

impl<S: TokenSource> Cached<S> {
    /// Keeps the tokens of `source`.
    pub fn new(source: S) -> Self {
        Self {
            source: Arc::new(source),
            slots: RwLock::default(),
        }
    }

    fn slot(&self, audience: &str) -> Arc<Slot> {
        let known = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = known.get(audience) {
            return slot.clone();
        }
        drop(known);
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        slots.entry(audience.to_owned()).or_default().clone()
    }
}

#[async_trait]
impl<S: TokenSource> TokenSource for Cached<S> {
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error> {
        let slot = self.slot(audience);
        match slot.find(&self.source, audience) {
            Found::Token(token) => Ok(token),
            Found::Flight(flight) => flight.landed().await,
        }
    }

    fn ready(&self, audience: &str) -> Option<IdToken> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.get(audience)?.ready(&self.source, audience)
    }

    fn describe(&self) -> String {
        self.source.describe()
    }

    fn forget(&self, audience: &str, token: &IdToken) -> bool {
        self.slot(audience).forget(token)
    }
}
