//! The issuer's signing keys: fetched when needed, by one task for all, and kept while they can be had again.

mod fetch;
mod keys;
mod roca;

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
use super::error::Refusal;

/// At most one fetch in this time, whatever asks for it: a key id that nobody knows, or old keys after a failure.
const BETWEEN: Duration = Duration::from_mins(1);
/// After a failure without any key in hand nobody can be let in, so the next call may try soon. Each further failure doubles it.
const BETWEEN_FIRST: Duration = Duration::from_secs(1);
/// How long after its beginning a fetch is waited for while there are keys: a key server that hangs must not hold up calls
/// whose keys are known, nor fill the server with those whose keys are not.
const PATIENCE: Duration = Duration::from_secs(1);

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct Jwks {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    source: Source,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: Keys,
    /// Until then the keys are as good as asking again.
    fresh_until: Option<Instant>,
    /// From then on a fetch in the background is worth it, so that nobody has to wait for one.
    early: Option<Instant>,
    /// No fetch begins before.
    next: Option<Instant>,
    /// The fetch under way, or one that broke off.
    fetching: Option<Fetching>,
    /// Failures since the last success.
    failures: u32,
}

#[derive(Clone, Debug)]
struct Fetching {
    /// Closed when it has ended.
    end: watch::Receiver<()>,
    began: Instant,
}

impl Jwks {
    pub(super) fn new(url: Url) -> Result<Self, reqwest::Error> {
        let source = Source::new(url)?;
        let state = RwLock::default();
        Ok(Self {
            shared: Arc::new(Shared { source, state }),
        })
    }

    /// Begins a fetch, and does not wait for it.
    pub(super) fn warm(&self) {
        self.fetch_if_due();
    }

    /// Whether a key is published, as far as is known without waiting.
    pub(super) fn published(&self, kid: &str) -> bool {
        self.fresh(kid, |_| ()).is_some()
    }

    /// The key of this id, after a fetch when the keys are old or do not have it. Old keys serve while no new ones can
    /// be had.
    pub(super) async fn key(&self, kid: &str) -> Result<Arc<DecodingKey>, Refusal> {
        if let Some(key) = self.fresh(kid, Arc::clone) {
            return Ok(key);
        }
        let ended = match self.fetch_if_due() {
            Some(fetching) if self.shared.read(|state| state.keys.is_empty()) => {
                fetching.ended().await;
                true
            }
            Some(fetching) => {
                let patience = fetching.began + PATIENCE;
                timeout_at(patience, fetching.ended()).await.is_ok()
            }
            None => true,
        };
        self.shared.read(|state| match state.keys.get(kid) {
            Some(key) => Ok(key.clone()),
            // A key that is not known yet may be among those that are on their way.
            None if state.keys.is_empty() || !ended => Err(Refusal::NoKeys),
            None => Err(Refusal::UnknownKey),
        })
    }

    /// What there is to say of the key of this id, while the keys are fresh.
    fn fresh<T>(&self, kid: &str, of: impl FnOnce(&Arc<DecodingKey>) -> T) -> Option<T> {
        let now = Instant::now();
        let (said, early) = self.shared.read(|state| {
            let fresh = state.fresh_until.is_some_and(|until| now < until);
            let key = fresh.then(|| state.keys.get(kid)).flatten();
            (key.map(of), state.early.is_some_and(|early| now >= early))
        });
        if early && said.is_some() {
            self.fetch_if_due();
        }
        said
    }

    /// Joins the fetch under way, or begins one when it is time. The fetch is a task of its own: a caller that goes away
    /// neither cuts it short nor makes the next one begin anew.
    fn fetch_if_due(&self) -> Option<Fetching> {
        let now = Instant::now();
        let mut state = self
            .shared
            .state
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(fetching) = &state.fetching
            && fetching.end.has_changed().is_ok()
        {
            return Some(fetching.clone());
        }
        if state.next.is_some_and(|next| now < next) {
            return None;
        }
        let (ends, end) = watch::channel(());
        let fetching = Fetching { end, began: now };
        state.fetching = Some(fetching.clone());
        let shared = self.shared.clone();
        tokio::spawn(async move {
            let fetched = shared.source.fetch().await;
            shared.store(fetched);
            drop(ends);
        });
        Some(fetching)
    }
}

impl Fetching {
    async fn ended(mut self) {
        // An error says that the sender is gone, which is how the fetch tells that it has ended.
        let _ = self.end.changed().await;
    }
}

impl Shared {
    fn read<T>(&self, of: impl FnOnce(&State) -> T) -> T {
        of(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A failure is never kept: the keys there are stay, and the next fetch is only put off.
    fn store(&self, fetched: Result<Fetched, FetchError>) {
        let now = Instant::now();
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.fetching = None;
        match fetched {
            Ok(Fetched { keys, age }) => {
                state.keys = keys;
                state.fresh_until = Some(now + age);
                state.early = Some(now + age * 4 / 5);
                state.next = Some(now + BETWEEN);
                state.failures = 0;
            }
            Err(error) => {
                let wait = if state.keys.is_empty() {
                    BETWEEN_FIRST
                        .saturating_mul(1 << state.failures.min(6))
                        .min(BETWEEN)
                } else {
                    BETWEEN
                };
                state.failures = state.failures.saturating_add(1);
                state.next = Some(now + wait);
                tracing::warn!(url = %self.source.url(), %error, "cannot fetch the issuer's signing keys");
            }
        }
    }
}
