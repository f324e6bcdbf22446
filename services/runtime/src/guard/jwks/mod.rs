//! The issuer's signing keys: fetched when needed, by one task for all, and kept while no new ones are available.

mod fetch;
mod keys;

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jsonwebtoken::DecodingKey;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use url::Url;

use self::{
    fetch::{FetchError, Fetched, Source},
    keys::Keys,
};
use super::{error::Refusal, metrics};

/// The least time between two fetches, whatever asks for one: an unknown key id, or old keys after a failure.
const FETCH_INTERVAL: Duration = Duration::from_mins(1);
/// The same after a failure without any key: no caller can be admitted, so the next call may retry soon. Each further failure
/// doubles it.
const FIRST_FETCH_INTERVAL: Duration = Duration::from_secs(1);
/// How long after its start a call waits for a fetch while there are keys: a key server that hangs must not delay calls whose keys
/// are known, nor fill the server with calls whose keys are not.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct Jwks {
    source: Source,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: Keys,
    /// Until then the keys need no fetch.
    fresh_until: Option<Instant>,
    /// From then on a fetch in the background spares a later call the wait.
    refresh_from: Option<Instant>,
    /// No fetch starts before.
    next_fetch: Option<Instant>,
    /// The fetch in progress, or one that was aborted.
    fetching: Option<Fetching>,
    /// Failures since the last success.
    failures: u32,
}

#[derive(Clone, Debug)]
struct Fetching {
    /// Closed when the fetch has ended.
    end: watch::Receiver<()>,
    began: Instant,
}

impl Jwks {
    pub(super) fn new(url: Url) -> Result<Arc<Self>, reqwest::Error> {
        let source = Source::new(url)?;
        let state = RwLock::default();
        Ok(Arc::new(Self { source, state }))
    }

    /// Starts a fetch, and does not wait for it.
    pub(super) fn warm(self: &Arc<Self>) {
        self.fetch_if_due();
    }

    /// Whether a key is published, as far as is known without waiting.
    pub(super) fn published(self: &Arc<Self>, kid: &str) -> bool {
        self.fresh(kid, |_| ()).is_some()
    }

    /// The key of this id, after a fetch when the keys are old or lack it. Old keys serve while no new ones are available.
    pub(super) async fn key(self: &Arc<Self>, kid: &str) -> Result<Arc<DecodingKey>, Refusal> {
        if let Some(key) = self.fresh(kid, Arc::clone) {
            return Ok(key);
        }
        let ended = match self.fetch_if_due() {
            Some(fetching) if self.read(|state| state.keys.is_empty()) => {
                fetching.ended().await;
                true
            }
            Some(fetching) => {
                let until = fetching.began + MAX_WAIT;
                timeout_at(until, fetching.ended()).await.is_ok()
            }
            None => true,
        };
        self.read(|state| match state.keys.get(kid) {
            Some(key) => Ok(key.clone()),
            // A key that is not known yet may be in the set that is being fetched.
            None if state.keys.is_empty() || !ended => Err(Refusal::NoKeys),
            None => Err(Refusal::UnknownKey),
        })
    }

    /// Applies `read` to the key of this id, while the keys are fresh.
    fn fresh<T>(
        self: &Arc<Self>,
        kid: &str,
        read: impl FnOnce(&Arc<DecodingKey>) -> T,
    ) -> Option<T> {
        let now = Instant::now();
        let (value, early) = self.read(|state| {
            let fresh = state.fresh_until.is_some_and(|until| now < until);
            let key = fresh.then(|| state.keys.get(kid)).flatten();
            (key.map(read), state.refresh_from.is_some_and(|early| now >= early))
        });
        if early && value.is_some() {
            self.fetch_if_due();
        }
        value
    }

    /// Joins the fetch in progress, or starts one when it is due. The fetch is a task of its own, so that it survives a caller that
    /// disconnects.
    fn fetch_if_due(self: &Arc<Self>) -> Option<Fetching> {
        let now = Instant::now();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(fetching) = &state.fetching
            && fetching.end.has_changed().is_ok()
        {
            return Some(fetching.clone());
        }
        if state.next_fetch.is_some_and(|next| now < next) {
            return None;
        }
        let (ends, end) = watch::channel(());
        let fetching = Fetching { end, began: now };
        state.fetching = Some(fetching.clone());
        let jwks = self.clone();
        tokio::spawn(async move {
            let fetched = jwks.source.fetch().await;
            metrics::fetched_keys(fetched.is_ok());
            jwks.store(fetched);
            drop(ends);
        });
        Some(fetching)
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A failure keeps the present keys and defers the next fetch.
    fn store(&self, fetched: Result<Fetched, FetchError>) {
        let now = Instant::now();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.fetching = None;
        match fetched {
            Ok(Fetched { keys, age }) => {
                state.keys = keys;
                state.fresh_until = Some(now + age);
                state.refresh_from = Some(now + age * 4 / 5);
                state.next_fetch = Some(now + FETCH_INTERVAL);
                state.failures = 0;
            }
            Err(error) => {
                let wait = if state.keys.is_empty() {
                    FIRST_FETCH_INTERVAL
                        .saturating_mul(1 << state.failures.min(6))
                        .min(FETCH_INTERVAL)
                } else {
                    FETCH_INTERVAL
                };
                state.failures = state.failures.saturating_add(1);
                state.next_fetch = Some(now + wait);
                tracing::warn!(url = %self.source.url(), %error, "cannot fetch the issuer's signing keys");
            }
        }
    }
}

impl Fetching {
    async fn ended(mut self) {
        // The fetch drops its sender when it has ended, which is an error here.
        let _ = self.end.changed().await;
    }
}
