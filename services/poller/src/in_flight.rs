//! The objects at work on this instance, so that it does nothing twice at once: duplicates of an event wait for the first
//! one and share its result. It also remembers what was settled a short time ago, because a poll's listing is older than
//! that, and what storage refuses both to move and to write on.
//!
//! This only saves work. Two instances may ask the worker about one object at once; generations make one of them settle it.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indexmap::IndexMap;
use tokio::{sync::watch, time::Instant};

use crate::retry::{MOVE_RETRY_MAX, MOVE_RETRY_MIN};

/// An object generation of the inbox's bucket.
type Key = (Arc<str>, i64);

/// Objects of each kind that are remembered at least: several times a page of a listing. Twice as many are at most.
const REMEMBERED: usize = 4_096;

/// The objects at work, each with its result to come.
#[derive(Clone, Debug)]
pub(crate) struct InFlight<T>(Arc<Mutex<State<T>>>);

#[derive(Debug)]
struct State<T> {
    at_work: HashMap<Key, watch::Receiver<Option<T>>>,
    /// Moved out of the inbox.
    settled: Memory<Instant>,
    deferred: Memory<Deferred>,
}

/// The newest entries of a kind, the oldest first.
type Memory<V> = IndexMap<Key, V>;

/// How long an object is left alone.
#[derive(Clone, Copy, Debug)]
struct Deferred {
    pause: Duration,
    until: Instant,
}

/// The result of joining.
#[derive(Debug)]
pub(crate) enum Join<T> {
    /// Nothing else is at work on the object. It is the caller's until the leader completes or is dropped.
    Leader(Leader<T>),
    /// Another task is at work on it.
    Follower(Follower<T>),
}

/// The one that works on an object. If it is dropped without a result, its followers start again.
#[derive(Debug)]
pub(crate) struct Leader<T> {
    in_flight: InFlight<T>,
    key: Key,
    result: watch::Sender<Option<T>>,
    /// It is among the objects at work.
    is_at_work: bool,
}

/// One that waits for the leader's result.
#[derive(Debug)]
pub(crate) struct Follower<T>(watch::Receiver<Option<T>>);

// === impl InFlight ===

impl<T> InFlight<T> {
    pub(crate) fn join(&self, name: &str, generation: i64) -> Join<T> {
        let key = (Arc::from(name), generation);
        match self.lock().at_work.entry(key.clone()) {
            Entry::Occupied(taken) => Join::Follower(Follower(taken.get().clone())),
            Entry::Vacant(free) => {
                let (result, follower) = watch::channel(None);
                free.insert(follower);
                let in_flight = Self(self.0.clone());
                Join::Leader(Leader { in_flight, key, result, is_at_work: true })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for InFlight<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            at_work: HashMap::new(),
            settled: Memory::default(),
            deferred: Memory::default(),
        })))
    }
}

fn remember<V>(memory: &mut Memory<V>, key: &Key, value: V) {
    memory.insert(key.clone(), value);
    // To remove one at a time would move all the others each time.
    if memory.len() > 2 * REMEMBERED {
        memory.drain(..=REMEMBERED);
    }
}

// === impl Leader ===

impl<T> Leader<T> {
    /// Whether this very generation was moved out of the inbox before. Where generations come from a file's time, as in a
    /// directory that is served as a bucket, it may be there again.
    pub(crate) fn is_settled(&self) -> bool {
        self.in_flight.lock().settled.contains_key(&self.key)
    }

    /// Whether it was moved out of the inbox then, or after.
    pub(crate) fn was_settled_since(&self, then: Instant) -> bool {
        self.in_flight.lock().settled.get(&self.key).is_some_and(|at| *at >= then)
    }

    /// How long the object is left alone.
    pub(crate) fn deferred_for(&self) -> Option<Duration> {
        let state = self.in_flight.lock();
        let until = state.deferred.get(&self.key)?.until;
        Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    /// Leaves the object alone for a while, twice as long each time; how long.
    pub(crate) fn defer(&self) -> Duration {
        let mut state = self.in_flight.lock();
        let before = state.deferred.get(&self.key);
        let pause = before.map_or(MOVE_RETRY_MIN, |before| (before.pause * 2).min(MOVE_RETRY_MAX));
        let until = Instant::now() + pause;
        remember(&mut state.deferred, &self.key, Deferred { pause, until });
        pause
    }

    /// Remembers that the object was moved out of the inbox.
    pub(crate) fn remember_settled(&self) {
        remember(&mut self.in_flight.lock().settled, &self.key, Instant::now());
    }

    /// Gives every follower this result, if there is one. It is not made when none follows.
    pub(crate) fn complete(mut self, result: impl FnOnce() -> Option<T>) {
        // Nothing joins any more, so that the followers are known.
        self.leave();
        if self.result.receiver_count() > 0
            && let Some(result) = result()
        {
            let _ = self.result.send(Some(result));
        }
    }

    fn leave(&mut self) {
        if std::mem::take(&mut self.is_at_work) {
            self.in_flight.lock().at_work.remove(&self.key);
        }
    }
}

impl<T> Drop for Leader<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

// === impl Follower ===

impl<T: Clone> Follower<T> {
    /// The leader's result; nothing when it was dropped without one.
    pub(crate) async fn result(mut self) -> Option<T> {
        let result = self.0.wait_for(Option::is_some).await.ok()?;
        result.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(in_flight: &InFlight<u8>, generation: i64) -> Leader<u8> {
        match in_flight.join("a", generation) {
            Join::Leader(leader) => leader,
            Join::Follower(_) => panic!("another leads"),
        }
    }

    fn follow(in_flight: &InFlight<u8>) -> Follower<u8> {
        match in_flight.join("a", 1) {
            Join::Follower(follower) => follower,
            Join::Leader(_) => panic!("none leads"),
        }
    }

    #[tokio::test]
    async fn every_follower_gets_the_leaders_result() {
        let in_flight = InFlight::default();
        let leader = lead(&in_flight, 1);
        let (second, third) = (follow(&in_flight), follow(&in_flight));
        leader.complete(|| Some(7));
        assert_eq!((second.result().await, third.result().await), (Some(7), Some(7)));
        lead(&in_flight, 1);
    }

    #[test]
    fn a_leader_that_has_completed_takes_nothing_from_the_next_one() {
        let in_flight = InFlight::default();
        let mut next = None;
        lead(&in_flight, 1).complete(|| panic!("none follows"));
        let (leader, follower) = (lead(&in_flight, 1), follow(&in_flight));
        leader.complete(|| {
            next = Some(lead(&in_flight, 1));
            Some(7)
        });
        follow(&in_flight);
        drop((next, follower));
        lead(&in_flight, 1);
    }

    #[tokio::test]
    async fn a_leader_that_is_dropped_gives_no_result() {
        let in_flight = InFlight::default();
        let leader = lead(&in_flight, 1);
        let follower = follow(&in_flight);
        drop(leader);
        assert_eq!(follower.result().await, None);
        lead(&in_flight, 1);
    }

    #[test]
    fn the_newest_settled_objects_are_remembered() {
        let in_flight = InFlight::default();
        lead(&in_flight, 0).complete(|| Some(7));
        assert!(!lead(&in_flight, 0).is_settled());
        let last = 2 * i64::try_from(REMEMBERED).unwrap() + 1;
        for generation in 1..=last {
            lead(&in_flight, generation).remember_settled();
        }
        let half = last / 2 + 1;
        assert!(!lead(&in_flight, half).is_settled(), "the older half is forgotten");
        assert!(lead(&in_flight, half + 1).is_settled());
        assert_eq!(in_flight.lock().settled.len(), REMEMBERED);
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_is_deferred_twice_as_long_each_time_up_to_an_hour() {
        let in_flight = InFlight::default();
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            lead(&in_flight, 1).defer();
            tokio::time::advance(Duration::from_secs(minutes * 60 - 1)).await;
            assert!(lead(&in_flight, 1).deferred_for().is_some(), "{minutes}");
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(lead(&in_flight, 1).deferred_for().is_none(), "{minutes}");
        }
    }

    #[test]
    fn generations_do_not_wait_for_each_other() {
        let in_flight = InFlight::default();
        let _first = lead(&in_flight, 1);
        lead(&in_flight, 2);
    }
}
