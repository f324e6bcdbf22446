//! The token of one audience.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use brigade_telemetry::carried;
use tokio::{runtime::Handle, sync::watch, time::Instant};

use crate::{
    identity::{TokenSource, error::Error, token::IdToken},
    observe,
};

/// A token is renewed this long before it expires; the metadata server itself returns a new one from then on.
const RENEW_BEFORE_EXPIRY: Duration = Duration::from_mins(5);
/// A token that expires sooner is not sent: it could expire on its way.
const MIN_REMAINING: Duration = Duration::from_secs(10);
/// A renewal that failed, returned the same token, or followed a refusal is not repeated sooner.
const MIN_RENEWAL_INTERVAL: Duration = Duration::from_secs(30);
/// Limits a source that has no shorter limit of its own.
const FETCH_TIMEOUT: Duration = Duration::from_mins(1);
/// A source that answers "not now" is asked again after these pauses, by each command and call alike. One that does not answer has
/// had its time already, and is left to the call's own retries.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1)];

/// The token of one audience, and the fetch in flight for it.
#[derive(Debug)]
pub(super) struct Slot<S> {
    source: Arc<S>,
    audience: String,
    state: Mutex<SlotState>,
}

#[derive(Debug, Default)]
struct SlotState {
    token: Option<IdToken>,
    /// The token was refused: it is not sent again until a fetch has returned another one or an error.
    refused: bool,
    fetch: Option<SharedFetch>,
    renewed: Option<Instant>,
    forced: Option<Instant>,
}

/// What a slot has for a call: a token, or the fetch that brings it.
pub(super) enum Lookup {
    Hit(IdToken),
    Miss(SharedFetch),
}

/// A fetch in flight, shared by all waiting callers.
#[derive(Clone, Debug)]
pub(super) struct SharedFetch(watch::Receiver<Option<Result<IdToken, Error>>>);

// === impl Slot ===

impl<S: TokenSource> Slot<S> {
    pub(super) fn new(source: Arc<S>, audience: &str) -> Self {
        Self { source, audience: audience.to_owned(), state: Mutex::default() }
    }

    /// The token if it can be sent, else the fetch that brings it.
    pub(super) fn lookup(self: &Arc<Self>) -> Lookup {
        let mut state = self.lock();
        match self.usable(&mut state) {
            Some(token) => Lookup::Hit(token),
            None => Lookup::Miss(self.fetch(&mut state, &Handle::current())),
        }
    }

    /// The token if it can be sent.
    pub(super) fn ready(self: &Arc<Self>) -> Option<IdToken> {
        self.usable(&mut self.lock())
    }

    /// Makes the next call fetch another token, unless another one is cached already. Limited in frequency: a callee that
    /// refuses every token must not cost a fetch for each call. The token is kept while it is valid, since the refusal may
    /// have been a mistake, and is used again when the fetch fails.
    pub(super) fn invalidate(&self, token: &IdToken) -> bool {
        let mut state = self.lock();
        let same = |state: &IdToken| state.secret() == token.secret();
        if state.refused || !state.token.as_ref().is_some_and(same) {
            return true;
        }
        let now = Instant::now();
        let recent = |forced| now < forced + MIN_RENEWAL_INTERVAL;
        if state.forced.is_some_and(recent) {
            return false;
        }
        state.forced = Some(now);
        state.refused = true;
        true
    }

    fn usable(self: &Arc<Self>, state: &mut SlotState) -> Option<IdToken> {
        if state.refused {
            return None;
        }
        let now = Instant::now();
        let token = state.valid(now)?;
        let due = now + RENEW_BEFORE_EXPIRY >= token.expires()
            && state.renewed.is_none_or(|renewed| renewed + MIN_RENEWAL_INTERVAL <= now);
        // Without a runtime the token cannot be renewed, and is still valid.
        if due && let Ok(runtime) = Handle::try_current() {
            self.fetch(state, &runtime);
        }
        Some(token)
    }

    /// The fetch in flight, or a new one.
    fn fetch(self: &Arc<Self>, state: &mut SlotState, runtime: &Handle) -> SharedFetch {
        if let Some(fetch) = state.fetch.clone().filter(SharedFetch::is_alive) {
            return fetch;
        }
        state.renewed = Some(Instant::now());
        let (sender, receiver) = watch::channel(None);
        let slot = self.clone();
        runtime.spawn(carried(async move {
            let (span, began) = (observe::fetch(&*slot.source, &slot.audience), Instant::now());
            let fetch = span.around(slot.fetch_patiently());
            let fetched = tokio::time::timeout(FETCH_TIMEOUT, fetch).await;
            let late = |_| Err(Error::away(slot.source.describe(), "no answer in time"));
            let fetched = fetched.unwrap_or_else(late);
            observe::fetched(&span, &*slot.source, began.elapsed(), &fetched);
            sender.send_replace(Some(slot.complete(fetched)));
        }));
        let fetch = SharedFetch(receiver);
        state.fetch = Some(fetch.clone());
        fetch
    }

    /// The source's token, or the error that it still gives after the last pause.
    async fn fetch_patiently(&self) -> Result<IdToken, Error> {
        for pause in PAUSES {
            match self.source.fetch(&self.audience).await {
                Err(error) if error.is_asked_again() => tokio::time::sleep(pause).await,
                result => return result,
            }
        }
        self.source.fetch(&self.audience).await
    }

    /// Stores the fetched token. The result is for all waiting callers: the old token if the fetch failed and it is valid.
    fn complete(&self, fetched: Result<IdToken, Error>) -> Result<IdToken, Error> {
        let mut state = self.lock();
        state.fetch = None;
        state.refused = false;
        match (fetched, state.valid(Instant::now())) {
            (Ok(token), _) => {
                state.token = Some(token.clone());
                Ok(token)
            }
            (Err(error), Some(old)) => {
                tracing::warn!(%error, audience = self.audience, "cannot renew the ID token; the current one stays in use while it is valid");
                Ok(old)
            }
            (Err(error), None) => Err(error),
        }
    }

    fn lock(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl SlotState ===

impl SlotState {
    /// The token, unless it expires soon.
    fn valid(&self, now: Instant) -> Option<IdToken> {
        let token = self.token.as_ref()?;
        (now + MIN_REMAINING < token.expires()).then(|| token.clone())
    }
}

// === impl SharedFetch ===

impl SharedFetch {
    /// Its task still runs: one that panicked, or whose runtime ended, never completes.
    fn is_alive(&self) -> bool {
        self.0.has_changed().is_ok()
    }

    /// The result, the same for all callers.
    pub(super) async fn result(mut self) -> Result<IdToken, Error> {
        match self.0.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(result)) => result.clone(),
            Ok(None) | Err(_) => Err(Error::away("the token source", "the fetch was aborted")),
        }
    }
}
