//! What a poller measures. Every attribute has one of a few values of its own: none is of an object, a worker or a caller.
//!
//! Instruments are created on their first use: one that exists before the meter provider stays a no-op.

use std::{
    slice,
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use brigade_proto::v1::{EndReason, Settlement};
use brigade_telemetry::{Counter, Histogram, KeyValue, ages, counter, gauge, measuring, times};
use jiff::Timestamp;

use crate::{
    mark::{LOST_CALLS, STORAGE_UNAVAILABLE},
    verdict::Blame,
};

static OBJECTS: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("brigade.objects", "{object}", "Objects by what became of them"));
static PROCESS: LazyLock<Histogram<f64>> =
    LazyLock::new(|| times("brigade.process.duration", "Calls of the worker"));
static SETTLE: LazyLock<Histogram<f64>> =
    LazyLock::new(|| times("brigade.settle.duration", "Moves of objects by their verdicts"));
static UPLOAD_TO_SETTLED: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    ages("brigade.upload_to_settled.duration", "From the upload of an object to its move")
});
static ATTEMPTS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter("brigade.attempts", "{attempt}", "Attempts after which an object has no verdict")
});
static LOSSES: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter("brigade.losses", "{call}", "Calls whose worker or connection ended before the answer")
});
static POLLS: LazyLock<Counter<u64>> =
    LazyLock::new(|| counter("brigade.polls", "{poll}", "Polls by how they ended"));

/// The state of the one poller of this process.
static CALLS: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(0);
static BRAKE: Recent<bool> = Recent::new();
static BREAKER: Recent<bool> = Recent::new();
static INBOX: Recent<Inbox> = Recent::new();

/// How long a state counts that another instance may change too.
const RECENT: Duration = Duration::from_mins(15);

static GAUGES: LazyLock<()> = LazyLock::new(|| {
    gauge("brigade.calls.in_flight", "{call}", "Calls of the worker in flight", || {
        Some(as_u64(CALLS.load(Relaxed)))
    });
    gauge("brigade.calls.limit", "{call}", "The most calls of the worker at once", || {
        Some(as_u64(LIMIT.load(Relaxed)))
    });
    gauge("brigade.brake", "1", "1 while the inbox's brake is on", || BRAKE.get().map(u64::from));
    gauge(
        "brigade.breaker",
        "1",
        "1 while the worker is away and is sent nothing but probes",
        || BREAKER.get().map(u64::from),
    );
    gauge(
        "brigade.inbox.objects",
        "{object}",
        "Objects to process that the last listing saw",
        || Some(INBOX.get()?.objects),
    );
    gauge("brigade.inbox.retrying", "{object}", "Those of them that had an attempt", || {
        Some(INBOX.get()?.retrying)
    });
    gauge("brigade.inbox.oldest_age", "s", "The age of the oldest of them at that time", || {
        Some(INBOX.get()?.oldest_age.as_secs())
    });
});

/// A value that counts for a while. An instance that polls no more exports none: another one may have changed what it is of.
#[derive(Debug)]
struct Recent<T>(Mutex<Option<(T, Instant)>>);

// === impl Recent ===

impl<T: Copy> Recent<T> {
    const fn new() -> Self {
        Self(Mutex::new(None))
    }

    fn get(&self) -> Option<T> {
        self.get_at(Instant::now())
    }

    fn get_at(&self, now: Instant) -> Option<T> {
        let known = self.lock();
        known.filter(|(_, at)| now.saturating_duration_since(*at) < RECENT).map(|(value, _)| value)
    }

    fn set(&self, value: T) {
        *self.lock() = Some((value, Instant::now()));
    }

    fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<(T, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The work that a listing of the inbox found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inbox {
    objects: u64,
    retrying: u64,
    oldest_age: Duration,
}

// === impl Inbox ===

impl Inbox {
    /// An object that is work, now or later.
    pub(crate) fn add(&mut self, age: Duration, is_retrying: bool) {
        self.objects += 1;
        self.retrying += u64::from(is_retrying);
        self.oldest_age = self.oldest_age.max(age);
    }

    fn at_least(self, part: Self) -> Self {
        Self {
            objects: self.objects.max(part.objects),
            retrying: self.retrying.max(part.retrying),
            oldest_age: self.oldest_age.max(part.oldest_age),
        }
    }
}

/// Registers the gauges of a new poller, if metrics are read.
pub(crate) fn observe() {
    forget();
    if measuring() {
        LazyLock::force(&GAUGES);
    }
}

/// An object has its outcome.
pub(crate) fn settled(
    settlement: Settlement,
    kind: &'static str,
    code: &'static str,
    uploaded: Option<Timestamp>,
) {
    if !measuring() {
        return;
    }
    let settlement_name = KeyValue::new("settlement", name(settlement));
    if matches!(settlement, Settlement::Processed | Settlement::Failed)
        && let Some(uploaded) = uploaded
    {
        let age = Duration::try_from(Timestamp::now().duration_since(uploaded)).unwrap_or_default();
        UPLOAD_TO_SETTLED.record(age.as_secs_f64(), slice::from_ref(&settlement_name));
    }
    OBJECTS.add(1, &[settlement_name, KeyValue::new("kind", kind), KeyValue::new("code", code)]);
}

/// The worker was asked about an object.
pub(crate) fn processed(protocol: &'static str, code: &'static str, took: Duration) {
    if measuring() {
        let attributes = [KeyValue::new("protocol", protocol), KeyValue::new("code", code)];
        PROCESS.record(took.as_secs_f64(), &attributes);
    }
}

/// Storage moved an object by its verdict, or did not.
pub(crate) fn settle_duration(settlement: Settlement, took: Duration) {
    if measuring() {
        SETTLE.record(took.as_secs_f64(), &[KeyValue::new("settlement", name(settlement))]);
    }
}

/// An answer was no verdict.
pub(crate) fn attempted(blame: Blame) {
    if measuring() {
        ATTEMPTS.add(1, &[KeyValue::new("blame", blame.name())]);
    }
}

pub(crate) fn record_loss() {
    if measuring() {
        LOSSES.add(1, &[]);
    }
}

/// A poll has ended; without a reason by an error.
pub(crate) fn poll_ended(reason: Option<EndReason>) {
    if measuring() {
        POLLS.add(1, &[KeyValue::new("end", end_name(reason))]);
    }
}

/// Drops the state that another instance may have changed.
pub(crate) fn forget() {
    INBOX.forget();
    BRAKE.forget();
    BREAKER.forget();
}

/// `COMPLETE`; `ERROR` without a reason.
pub(crate) fn end_name(reason: Option<EndReason>) -> &'static str {
    let name = reason.map_or("ERROR", |reason| reason.as_str_name());
    name.strip_prefix("END_REASON_").unwrap_or(name)
}

/// `PROCESSED`.
pub(crate) fn name(settlement: Settlement) -> &'static str {
    let name = settlement.as_str_name();
    name.strip_prefix("SETTLEMENT_").unwrap_or(name)
}

/// The kind of a failure, when it is one of the poller's own: a worker may name as many as it likes.
pub(crate) fn kind(kind: &str) -> &'static str {
    [LOST_CALLS, STORAGE_UNAVAILABLE].into_iter().find(|own| *own == kind).unwrap_or("other")
}

/// The whole inbox was listed.
pub(crate) fn listed(inbox: Inbox) {
    INBOX.set(inbox);
}

/// The poll ended before it had listed the whole inbox, which has at least this.
pub(crate) fn listed_part(part: Inbox) {
    let mut known = INBOX.lock();
    match &mut *known {
        Some((inbox, at)) if at.elapsed() < RECENT => *inbox = inbox.at_least(part),
        old => *old = Some((part, Instant::now())),
    }
}

pub(crate) fn call_began() {
    CALLS.fetch_add(1, Relaxed);
}

pub(crate) fn call_ended() {
    CALLS.fetch_sub(1, Relaxed);
}

pub(crate) fn limit(calls: usize) {
    LIMIT.store(calls, Relaxed);
}

pub(crate) fn brake(is_on: bool) {
    if measuring() {
        BRAKE.set(is_on);
    }
}

pub(crate) fn breaker(is_open: bool) {
    if measuring() {
        BREAKER.set(is_open);
    }
}

fn as_u64(value: usize) -> u64 {
    value.try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_exported_for_a_quarter_of_an_hour() {
        let state = Recent::new();
        assert_eq!(state.get(), None);
        state.set(true);
        let now = Instant::now();
        assert_eq!(state.get_at(now + RECENT / 2), Some(true));
        assert_eq!(state.get_at(now + RECENT), None);
        state.forget();
        assert_eq!(state.get(), None);
    }
}
