//! Keeps tokens: one a audience, fetched once however many wait, renewed before it ends.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use super::{TokenSource, error::Error, token::IdToken};

/// A token is renewed this long before its end; the metadata server itself hands out a new one from then on.
const EARLY: Duration = Duration::from_mins(5);
/// A token this close to its end is not sent: it could end on its way.
const MARGIN: Duration = Duration::from_secs(10);
/// A renewal that failed, or brought the same token, is not repeated sooner.
const BETWEEN: Duration = Duration::from_secs(30);

/// A source whose tokens are kept.
#[derive(Debug)]
pub struct Cached<S> {
    source: Arc<S>,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

/// The token of one audience.
#[derive(Debug, Default)]
struct Slot {
    held: Mutex<Held>,
    /// Whoever has it fetches; the others wait and find what was fetched.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<IdToken>,
    renewed: Option<Instant>,
}

impl<S: TokenSource> Cached<S> {
    /// Keeps the tokens of `source`.
    pub fn new(source: S) -> Self {
        Self {
            source: Arc::new(source),
            slots: Mutex::default(),
        }
    }

    fn slot(&self, audience: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(audience.to_owned()).or_default().clone()
    }
}

impl Slot {
    /// A token that can be sent, and whether it is time to renew it.
    fn usable(&self) -> Option<(IdToken, bool)> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let token = held.token.clone()?;
        let now = Instant::now();
        if now + MARGIN >= token.expires() {
            return None;
        }
        let due = now + EARLY >= token.expires()
            && held.renewed.is_none_or(|renewed| renewed + BETWEEN <= now);
        if due {
            held.renewed = Some(now);
        }
        Some((token, due))
    }

    async fn renew<S: TokenSource>(&self, source: &S, audience: &str) -> Result<IdToken, Error> {
        let token = source.fetch(audience).await?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.token = Some(token.clone());
        Ok(token)
    }
}

#[async_trait]
impl<S: TokenSource> TokenSource for Cached<S> {
    async fn fetch(&self, audience: &str) -> Result<IdToken, Error> {
        let slot = self.slot(audience);
        match slot.usable() {
            Some((token, false)) => return Ok(token),
            Some((token, true)) => {
                let (source, audience) = (self.source.clone(), audience.to_owned());
                tokio::spawn(async move {
                    if let Err(error) = slot.renew(&*source, &audience).await {
                        tracing::warn!(%error, audience, "cannot renew an ID token; the old one is still valid");
                    }
                });
                return Ok(token);
            }
            None => {}
        }
        let _only_one = slot.fetching.lock().await;
        match slot.usable() {
            Some((token, _)) => Ok(token),
            None => slot.renew(&*self.source, audience).await,
        }
    }

    fn describe(&self) -> String {
        self.source.describe()
    }

    fn forget(&self, audience: &str, token: &IdToken) {
        let slot = self.slot(audience);
        let mut held = slot.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held
            .token
            .as_ref()
            .is_some_and(|held| held.secret() == token.secret())
        {
            held.token = None;
        }
    }
}
