//! The token of one audience.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{runtime::Handle, sync::watch, time::Instant};

use crate::identity::{Error, IdToken, TokenSource};

/// A token is renewed this long before its end; the metadata server itself hands out a new one from then on.
const EARLY: Duration = Duration::from_mins(5);
/// A token this close to its end is not sent: it could end on its way.
const MARGIN: Duration = Duration::from_secs(10);
/// A renewal that failed, brought the same token, or was forced by a refusal, is not repeated sooner.
const BETWEEN: Duration = Duration::from_secs(30);
/// Every source has shorter limits of its own; this one holds for a source that has none.
const FLIGHT: Duration = Duration::from_mins(1);

/// The token of one audience, and the fetch that is under way for it.
#[derive(Debug, Default)]
pub(super) struct Slot(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    token: Option<IdToken>,
    /// The token was refused: it is not sent before a fetch has ended, with another one or with an error.
    refused: bool,
    flight: Option<Flight>,
    renewed: Option<Instant>,
    forced: Option<Instant>,
}

/// What a slot has for a call.
pub(super) enum Found {
    Token(IdToken),
    Flight(Flight),
}

/// A fetch under way, shared by all who wait for it.
#[derive(Clone, Debug)]
pub(super) struct Flight(watch::Receiver<Option<Result<IdToken, Error>>>);

// === impl Slot ===

impl Slot {
    /// The token when it can be sent, else the fetch that will bring it.
    pub(super) fn find<S: TokenSource>(self: &Arc<Self>, source: &Arc<S>, audience: &str) -> Found {
        let mut held = self.lock();
        match self.usable(&mut held, source, audience) {
            Some(token) => Found::Token(token),
            None => Found::Flight(self.flight(&mut held, source, audience, &Handle::current())),
        }
    }

    /// The token when it can be sent.
    pub(super) fn ready<S: TokenSource>(
        self: &Arc<Self>,
        source: &Arc<S>,
        audience: &str,
    ) -> Option<IdToken> {
        self.usable(&mut self.lock(), source, audience)
    }

    /// Has the next call fetch another token than this one, unless another one is there already. At most once in a while: a
    /// callee that refuses every token must not make a fetch of every call. The token is kept for as long as it is valid,
    /// since one refusal may have been a stray one, and serves again when there is none to be had in its place.
    pub(super) fn forget(&self, token: &IdToken) -> bool {
        let mut held = self.lock();
        let same = |held: &IdToken| held.secret() == token.secret();
        if held.refused || !held.token.as_ref().is_some_and(same) {
            return true;
        }
        let now = Instant::now();
        if held.forced.is_some_and(|forced| now < forced + BETWEEN) {
            return false;
        }
        held.forced = Some(now);
        held.refused = true;
        true
    }

    fn usable<S: TokenSource>(
        self: &Arc<Self>,
        held: &mut Held,
        source: &Arc<S>,
        audience: &str,
    ) -> Option<IdToken> {
        if held.refused {
            return None;
        }
        let now = Instant::now();
        let token = held.valid(now)?;
        let due = now + EARLY >= token.expires()
            && held.renewed.is_none_or(|renewed| renewed + BETWEEN <= now);
        // Without a runtime nobody could renew, and the token is as good as before.
        if due && let Ok(runtime) = Handle::try_current() {
            self.flight(held, source, audience, &runtime);
        }
        Some(token)
    }

    /// The fetch under way, or a new one.
    fn flight<S: TokenSource>(
        self: &Arc<Self>,
        held: &mut Held,
        source: &Arc<S>,
        audience: &str,
        runtime: &Handle,
    ) -> Flight {
        if let Some(flight) = held.flight.clone().filter(Flight::is_alive) {
            return flight;
        }
        held.renewed = Some(Instant::now());
        let (land, landing) = watch::channel(None);
        let (slot, source, audience) = (self.clone(), source.clone(), audience.to_owned());
        runtime.spawn(async move {
            let fetched = tokio::time::timeout(FLIGHT, source.fetch(&audience)).await;
            let fetched = fetched.unwrap_or_else(|_| {
                Err(Error::Away {
                    source_name: source.describe(),
                    why: "no answer in time".into(),
                })
            });
            land.send_replace(Some(slot.land(fetched, &audience)));
        });
        let flight = Flight(landing);
        held.flight = Some(flight.clone());
        flight
    }

    /// Keeps what was fetched. What comes back is for all who wait: when the fetch failed, the old token while it is valid.
    fn land(&self, fetched: Result<IdToken, Error>, audience: &str) -> Result<IdToken, Error> {
        let mut held = self.lock();
        held.flight = None;
        held.refused = false;
        match (fetched, held.valid(Instant::now())) {
            (Ok(token), _) => {
                held.token = Some(token.clone());
                Ok(token)
            }
            (Err(error), Some(old)) => {
                tracing::warn!(%error, audience, "cannot renew an ID token; the old one is kept while it is valid");
                Ok(old)
            }
            (Err(error), None) => Err(error),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Held ===

impl Held {
    /// The token, unless it is at its end.
    fn valid(&self, now: Instant) -> Option<IdToken> {
        let token = self.token.as_ref()?;
        (now + MARGIN < token.expires()).then(|| token.clone())
    }
}

// === impl Flight ===

impl Flight {
    /// Its task still runs: one that panicked, or whose runtime ended, will never land.
    fn is_alive(&self) -> bool {
        self.0.has_changed().is_ok()
    }

    /// What it brought, the same for all.
    pub(super) async fn landed(mut self) -> Result<IdToken, Error> {
        match self.0.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(landed)) => landed.clone(),
            Ok(None) | Err(_) => Err(Error::Away {
                source_name: "the token source".into(),
                why: "its fetch was broken off".into(),
            }),
        }
    }
}
