//! One poll at a time for one inbox: a lease, kept as an object beside it.
//!
//! The lease only saves work. Safety rests on generations alone: two polls that both take the lease for theirs ask the
//! worker twice, and settle every object once.
//!
//! Its age is that of the object's current generation, by the server's clock. The holder counts from before each renewal
//! was sent, by a monotonic clock, and takes the lease for lost after [`TTL`]. A poll that wants it compares the server's
//! time of the last renewal with its own clock, and waits for [`TTL`] and [`SKEW`]: a clock that is ahead by no more than
//! [`SKEW`] never takes a lease that is still held, and one that is behind by as much takes it a minute later than it
//! could. So no clock makes a lease immortal.
//!
//! Every write and the release name the generation that they replace. A slow holder cannot remove its successor's, and a
//! holder whose answer was lost finds its own name in the object.

use std::{sync::Arc, time::Duration};

use brigade_storage::{Bucket, Error, Location, Metadata, NewObject, Object, Pinned};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    filter::CONTROL_PREFIX,
    retry::{self, Backoff, is_conflict},
};

/// How long a lease is held without a renewal. It is renewed at a third of that.
pub(crate) const TTL: Duration = Duration::from_mins(1);

/// How far a clock may be off.
pub(crate) const SKEW: Duration = Duration::from_secs(30);

/// Who holds it, in its metadata: one look tells all.
const HOLDER: &str = "brigade-holder";

/// Takes the lease of one inbox.
#[derive(Clone, Debug)]
pub(crate) struct LeaseManager {
    bucket: Arc<dyn Bucket>,
    name: String,
    clock: Arc<dyn Clock>,
}

/// The result of asking for it.
#[derive(Debug)]
pub(crate) enum Acquired {
    /// It is ours.
    Ours(Lease),
    /// Another poll has it.
    Held {
        /// Which one.
        by: String,
    },
}

/// A lease that is ours until it is released, lost, or not renewed any more. To drop it lets it expire.
#[derive(Debug)]
pub(crate) struct Lease {
    manager: LeaseManager,
    holder: String,
    generation: i64,
    valid_until: Instant,
}

// === impl LeaseManager ===

impl LeaseManager {
    pub(crate) fn new(bucket: Arc<dyn Bucket>, inbox: &Location, clock: Arc<dyn Clock>) -> Self {
        Self { bucket, name: format!("{CONTROL_PREFIX}{}lease", inbox.prefix), clock }
    }

    /// Takes the lease for `holder` if it is free. It makes two calls at most when it is not.
    pub(crate) async fn acquire(&self, holder: &str) -> Result<Acquired, Error> {
        let mut backoff = Backoff::new();
        let mut replaces = 0;
        loop {
            let sent = Instant::now();
            let error = match self.write(holder, replaces).await {
                Ok(object) => return Ok(self.ours(holder, &object, sent)),
                Err(error) => error,
            };
            if is_conflict(&error) {
                match self.look().await? {
                    None => replaces = 0,
                    Some(found) if read_holder(&found) == holder => {
                        return Ok(self.ours(holder, &found, sent));
                    }
                    Some(found) if self.is_expired(&found) && replaces != found.generation => {
                        replaces = found.generation;
                    }
                    Some(found) => {
                        let by = read_holder(&found).to_owned();
                        return Ok(Acquired::Held { by });
                    }
                }
            } else if !error.is_transient() {
                return Err(error);
            }
            let is_transient = error.is_transient();
            let pause = backoff.next(error)?;
            if is_transient {
                sleep(pause).await;
            }
        }
    }

    fn ours(&self, holder: &str, object: &Object, sent: Instant) -> Acquired {
        Acquired::Ours(Lease {
            manager: self.clone(),
            holder: holder.to_owned(),
            generation: object.generation,
            valid_until: sent + TTL,
        })
    }

    async fn write(&self, holder: &str, replaces: i64) -> Result<Object, Error> {
        let new = NewObject {
            metadata: Metadata::from([(HOLDER.to_owned(), holder.to_owned())]),
            ..NewObject::default()
        };
        self.bucket.create(&self.name, replaces, new).await
    }

    async fn look(&self) -> Result<Option<Object>, Error> {
        retry::live_object(&*self.bucket, &self.name).await
    }

    fn is_expired(&self, found: &Object) -> bool {
        let age = self.clock.now().duration_since(found.created);
        Duration::try_from(age).is_ok_and(|age| age > TTL + SKEW)
    }
}

/// An object of another origin at this name has no holder in it: it expires like any other.
fn read_holder(object: &Object) -> &str {
    object.metadata.get(HOLDER).map_or("", String::as_str)
}

// === impl Lease ===

impl Lease {
    /// Renews it until it is lost, which cancels `lost`. Never ends.
    pub(crate) async fn keep(&mut self, lost: &CancellationToken) {
        loop {
            let due = self.valid_until.checked_sub(TTL * 2 / 3);
            tokio::time::sleep_until(due.unwrap_or(self.valid_until)).await;
            let renewed = timeout_at(self.valid_until, self.renew()).await;
            if let Ok(Some((generation, sent))) = renewed {
                self.generation = generation;
                self.valid_until = sent + TTL;
            } else {
                tracing::warn!(lease = self.manager.name, "lost the inbox's lease");
                lost.cancel();
                return std::future::pending().await;
            }
        }
    }

    /// The new generation, and since when it counts; nothing when another poll has the lease.
    async fn renew(&self) -> Option<(i64, Instant)> {
        let mut backoff = Backoff::new();
        let sent = Instant::now();
        loop {
            let error = match self.manager.write(&self.holder, self.generation).await {
                Ok(object) => return Some((object.generation, sent)),
                Err(error) => error,
            };
            if is_conflict(&error) {
                let found = self.manager.look().await.ok()??;
                return (read_holder(&found) == self.holder).then_some((found.generation, sent));
            }
            if !error.is_transient() {
                return None;
            }
            backoff.wait(error).await.ok()?;
        }
    }

    /// Gives it back. What cannot be given back expires.
    pub(crate) async fn release(self) {
        let mut released = self.delete(self.generation).await;
        if released.as_ref().is_err_and(Error::is_precondition) {
            // A renewal that was in flight when the poll ended may have been applied.
            released = match self.manager.look().await {
                Ok(Some(found)) if read_holder(&found) == self.holder => {
                    self.delete(found.generation).await
                }
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
        }
        if let Err(error) = released
            && !is_conflict(&error)
        {
            tracing::warn!(%error, "could not release the inbox's lease; it expires by itself");
        }
    }

    async fn delete(&self, generation: i64) -> Result<(), Error> {
        let name = &self.manager.name;
        let own = Pinned { name, generation };
        retry::repeated(|| self.manager.bucket.delete(own)).await
    }
}

#[cfg(test)]
mod tests;
