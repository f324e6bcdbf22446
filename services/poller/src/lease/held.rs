//! A lease that is held: its renewal and its end.

use std::time::Duration;

use brigade_storage::{Error, Pinned};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Base, LeaseManager, Own, TTL, holders};
use crate::retry::{self, Backoff, is_conflict};

/// How long a poll tries to give it back.
const RELEASE_TIME: Duration = Duration::from_secs(30);

/// A lease that is ours until it is released, lost, or not renewed any more. To drop it lets it expire.
#[derive(Debug)]
pub(crate) struct Lease {
    manager: LeaseManager,
    own: Own,
    base: Base,
    valid_until: Instant,
}

// === impl Lease ===

impl Lease {
    /// The first try of the write that took it began at `sent`.
    pub(super) fn new(manager: LeaseManager, own: Own, base: Base, sent: Instant) -> Self {
        Self { manager, own, base, valid_until: sent + TTL }
    }

    /// Renews it until it is lost, which cancels `lost`. Never ends.
    pub(crate) async fn keep(&mut self, lost: &CancellationToken) {
        loop {
            let due = self.valid_until.checked_sub(TTL * 2 / 3);
            sleep_until(due.unwrap_or(self.valid_until)).await;
            let sent = Instant::now();
            let renewed = timeout_at(self.valid_until, self.renew()).await;
            if let Ok(Some(base)) = renewed {
                self.base = base;
                self.valid_until = sent + TTL;
            } else {
                tracing::warn!(lease = self.manager.name, "lost the inbox's lease");
                lost.cancel();
                return std::future::pending().await;
            }
        }
    }

    /// What the next write replaces; nothing when the lease is lost. It tries as long as it is let.
    async fn renew(&self) -> Option<Base> {
        let mut base = self.base.clone();
        let mut backoff = Backoff::new();
        loop {
            let error = match self.manager.write(&self.own, &base).await {
                Ok(object) => return Some(Base { generation: object.generation, ..base }),
                Err(error) => error,
            };
            if is_conflict(&error) {
                match self.manager.look_beside(&self.own).await {
                    Ok(found) => base = found?,
                    Err(error) if !error.is_transient() => return None,
                    // The next write meets the same conflict.
                    Err(_) => {}
                }
            } else if !error.is_transient() {
                return None;
            }
            match backoff.next(error) {
                Ok(pause) => sleep(pause).await,
                // The lease's own time is the limit.
                Err(_) => backoff = Backoff::new(),
            }
        }
    }

    /// Gives it back. What cannot be given back expires.
    pub(crate) async fn release(self) {
        let name = self.manager.name.clone();
        if timeout_at(Instant::now() + RELEASE_TIME, self.give_back()).await.is_err() {
            tracing::warn!(
                lease = name,
                "could not release the inbox's lease in time; it expires by itself"
            );
        }
    }

    async fn give_back(mut self) {
        let mut backoff = Backoff::new();
        let error = loop {
            let error = match self.leave().await {
                Ok(()) => return,
                Err(error) if is_conflict(&error) => {
                    match self.manager.look_beside(&self.own).await {
                        Ok(Some(found)) => {
                            // A renewal that was in flight when the poll ended, or another holder's write.
                            self.base = found;
                            error
                        }
                        Ok(None) => return,
                        Err(error) => break error,
                    }
                }
                Err(error) if error.is_transient() => error,
                Err(error) => break error,
            };
            let is_contended = is_conflict(&error);
            match backoff.next(error) {
                Ok(pause) => sleep(pause).await,
                Err(_) if is_contended => backoff = Backoff::new(),
                Err(error) => break error,
            }
        };
        tracing::warn!(%error, "could not release the inbox's lease; it expires by itself");
    }

    /// Removes this holder from the object, and with the last one the object.
    async fn leave(&self) -> Result<(), Error> {
        let manager = &self.manager;
        let others = manager.live(self.base.others.clone());
        let generation = self.base.generation;
        if others.is_empty() {
            let own = Pinned { name: &manager.name, generation };
            return retry::repeated(|| manager.bucket.delete(own)).await;
        }
        manager.replace(generation, holders::write(&self.own.name, &others)).await.map(drop)
    }
}
