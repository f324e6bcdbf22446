//! One poll at a time for one part of an inbox: a lease, kept as an object beside it.
//!
//! The lease only saves work. Safety rests on generations alone: two polls that both take the lease for theirs ask the
//! worker twice, and settle every object once.
//!
//! One object names all holders. Two polls exclude each other when the prefix of one contains that of the other and their
//! globs are the same; others hold it side by side. A holder's age is that of the generation that it wrote last, by the
//! server's clock: each later writer copies that time. The holder counts from before its write was first sent, by a monotonic
//! clock, and takes the lease for lost after `TTL`. A poll that wants it compares the server's time with its own clock, and
//! waits for `TTL` and `SKEW`: a clock that is ahead by no more than `SKEW` never takes a lease that is still held, and
//! one that is behind by as much takes it a minute later than it could. So no clock makes a lease immortal.
//!
//! Every write and the release name the generation that they replace. A slow holder cannot remove its successor's, and a
//! holder whose answer was lost finds its own name in the object.

mod held;
mod holders;

use std::{sync::Arc, time::Duration};

use brigade_storage::{Bucket, Error, Location, Metadata, NewObject, Object};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use crate::{
    clock::Clock,
    filter::CONTROL_PREFIX,
    retry::{self, Backoff, is_conflict},
};

use holders::Holders;
pub(crate) use {
    held::Lease,
    holders::{Holder, Scope},
};

/// How long a lease is held without a renewal. It is renewed at a third of that.
pub(crate) const TTL: Duration = Duration::from_mins(1);

/// The longest pause of a poll that others' writes of the object keep from its own.
const MAX_CONTENTION: Duration = Duration::from_secs(2);

/// How far a clock may be off.
pub(crate) const SKEW: Duration = Duration::from_secs(30);

/// This process as others on its machine know it, where they can tell that it has ended: its lease is free then.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// The machine and the process; empty for one that others cannot look at.
    pub id: String,
    /// Whether the process with this id was on this machine and has ended.
    pub has_ended: Option<fn(&str) -> bool>,
}

/// Takes the lease of one inbox for polls of one part of it.
#[derive(Clone, Debug)]
pub(crate) struct LeaseManager {
    bucket: Arc<dyn Bucket>,
    name: String,
    scope: Scope,
    clock: Arc<dyn Clock>,
    process: Process,
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
        /// For what, and until when.
        holder: Holder,
    },
}

/// A poll that asks for the lease.
#[derive(Clone, Debug)]
struct Own {
    name: String,
    since: Timestamp,
}

/// What a write replaces, and whom it keeps.
#[derive(Clone, Debug, Default)]
struct Base {
    /// 0: nothing is there.
    generation: i64,
    others: Holders,
}

// === impl LeaseManager ===

impl LeaseManager {
    pub(crate) fn new(
        bucket: Arc<dyn Bucket>,
        inbox: &Location,
        scope: Scope,
        clock: Arc<dyn Clock>,
        process: Process,
    ) -> Self {
        let name = format!("{CONTROL_PREFIX}{}lease", inbox.prefix);
        Self { bucket, name, scope, clock, process }
    }

    /// Takes the lease for `holder` if it is free. It makes two calls at most when it is not.
    pub(crate) async fn acquire(&self, holder: &str) -> Result<Acquired, Error> {
        let mut backoff = Backoff::new();
        let mut base = Base::default();
        let own = Own { name: holder.to_owned(), since: self.clock.now() };
        let mut sent = Instant::now();
        let mut is_contended = false;
        loop {
            let error = match self.write(&own, &base).await {
                Ok(object) => {
                    let base = Base { generation: object.generation, ..base };
                    return Ok(Acquired::Ours(Lease::new(self.clone(), own, base, sent)));
                }
                Err(error) => error,
            };
            if is_conflict(&error) {
                base = self.look().await?.unwrap_or_default();
                if base.others.remove(holder).is_some() {
                    return Ok(Acquired::Ours(Lease::new(self.clone(), own, base, sent)));
                }
                base.others = self.live(base.others);
                let blocking = base.others.iter().find(|(_, other)| other.excludes(&self.scope));
                if let Some((by, holder)) = blocking {
                    return Ok(Acquired::Held { by: by.clone(), holder: holder.clone() });
                }
                // What was sent before did not get it.
                sent = Instant::now();
                // Other parts' holders write the same object; the caller's time is the limit.
                if is_contended {
                    sleep(backoff.next(error).unwrap_or(MAX_CONTENTION)).await;
                }
                is_contended = true;
                continue;
            }
            if !error.is_transient() {
                return Err(error);
            }
            sleep(backoff.next(error)?).await;
        }
    }

    /// Writes `own` beside the others.
    async fn write(&self, own: &Own, base: &Base) -> Result<Object, Error> {
        let holder = Holder {
            scope: Some(self.scope.clone()),
            since: own.since,
            // The server's clock counts.
            renewed: own.since,
            process: self.process.id.clone(),
        };
        let mut all = base.others.clone();
        all.insert(own.name.clone(), holder);
        self.replace(base.generation, holders::write(&own.name, &all)).await
    }

    async fn replace(&self, generation: i64, metadata: Metadata) -> Result<Object, Error> {
        let new = NewObject { metadata, ..NewObject::default() };
        self.bucket.create(&self.name, generation, new).await
    }

    /// What is there beside `own`; nothing when `own` holds no part of it.
    async fn look_beside(&self, own: &Own) -> Result<Option<Base>, Error> {
        let found = self.look().await?;
        Ok(found.and_then(|mut found| found.others.remove(&own.name).map(|_| found)))
    }

    /// The generation that is there, and all its holders.
    async fn look(&self) -> Result<Option<Base>, Error> {
        let found = retry::live_object(&*self.bucket, &self.name).await?;
        Ok(found.map(|found| Base { generation: found.generation, others: holders::read(&found) }))
    }

    /// The polls that hold it now.
    pub(crate) async fn holders(&self) -> Result<impl Iterator<Item = (String, Holder)>, Error> {
        let found = self.look().await?.unwrap_or_default();
        Ok(self.live(found.others).into_iter())
    }

    /// Those that have not expired, and whose process has not ended as far as is known.
    fn live(&self, mut holders: Holders) -> Holders {
        let now = self.clock.now();
        let has_ended = |holder: &Holder| {
            let has_ended = self.process.has_ended.filter(|_| !holder.process.is_empty());
            has_ended.is_some_and(|has_ended| has_ended(&holder.process))
        };
        holders.retain(|_, holder| !holder.is_expired(now) && !has_ended(holder));
        holders
    }
}

#[cfg(test)]
mod tests;
