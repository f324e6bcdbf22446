//! Which objects are at work on this instance, so that nothing is done twice at once: duplicates of an event wait for the
//! first one, and share its end. And which were settled not long ago: a poll's listing is older than what events do meanwhile.
//!
//! This only saves work. Two instances may well ask the worker about one object at once; generations see to it that one
//! of them settles it.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use crate::settle::{REFUSED, REFUSED_LONGEST};

/// An object generation of the inbox's bucket.
type Key = (String, i64);

/// Objects that are remembered, of each kind: several times a page of a listing.
const REMEMBERED: usize = 4_096;

/// The objects at work, each with the end that it will come to.
#[derive(Debug)]
pub(crate) struct Flights<T>(Arc<Mutex<Objects<T>>>);

#[derive(Debug)]
struct Objects<T> {
    at_work: HashMap<Key, watch::Receiver<Option<T>>>,
    /// Those that were moved out of the inbox.
    settled: Memory<()>,
    /// Those that storage refuses to move, and on which nothing can be written.
    put_off: Memory<PutOff>,
}

/// The last ones of a kind.
#[derive(Debug)]
struct Memory<V> {
    known: HashMap<Key, V>,
    /// The oldest first.
    order: VecDeque<Key>,
}

/// How long an object is left alone.
#[derive(Clone, Copy, Debug)]
struct PutOff {
    pause: Duration,
    until: Instant,
}

/// What came of boarding.
#[derive(Debug)]
pub(crate) enum Boarding<T> {
    /// Nobody else is at work on it: it is ours until the flight lands or is dropped.
    Ours(Flight<T>),
    /// Somebody is.
    Theirs(Waiting<T>),
}

/// An object that is ours. Dropped without landing, whoever waits for it begins anew.
#[derive(Debug)]
pub(crate) struct Flight<T> {
    flights: Flights<T>,
    key: Key,
    end: watch::Sender<Option<T>>,
}

/// Somebody else's flight.
#[derive(Debug)]
pub(crate) struct Waiting<T>(watch::Receiver<Option<T>>);

// === impl Flights ===

impl<T> Flights<T> {
    pub(crate) fn board(&self, name: &str, generation: i64) -> Boarding<T> {
        let key = (name.to_owned(), generation);
        match self.lock().at_work.entry(key.clone()) {
            Entry::Occupied(taken) => Boarding::Theirs(Waiting(taken.get().clone())),
            Entry::Vacant(free) => {
                let (end, waiting) = watch::channel(None);
                free.insert(waiting);
                Boarding::Ours(Flight {
                    flights: self.clone(),
                    key,
                    end,
                })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Objects<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Objects {
            at_work: HashMap::new(),
            settled: Memory::default(),
            put_off: Memory::default(),
        })))
    }
}

impl<T> Clone for Flights<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

// === impl Memory ===

impl<V> Memory<V> {
    fn remember(&mut self, key: &Key, value: V) {
        if self.known.insert(key.clone(), value).is_none() {
            self.order.push_back(key.clone());
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

impl<V> Default for Memory<V> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

// === impl Flight ===

impl<T> Flight<T> {
    /// Whether an earlier flight has moved this very generation out of the inbox. Where generations come from a file's time,
    /// as in a directory that stands for a bucket, it may be there again.
    pub(crate) fn is_settled(&self) -> bool {
        self.flights.lock().settled.known.contains_key(&self.key)
    }

    /// Whether it is to be left alone for now.
    pub(crate) fn is_put_off(&self) -> bool {
        let objects = self.flights.lock();
        let put_off = objects.put_off.known.get(&self.key);
        put_off.is_some_and(|put_off| Instant::now() < put_off.until)
    }

    /// Has it left alone for a while, twice as long each time.
    pub(crate) fn put_off(&self) {
        let mut objects = self.flights.lock();
        let before = objects.put_off.known.get(&self.key);
        let pause = before.map_or(REFUSED, |before| (before.pause * 2).min(REFUSED_LONGEST));
        let until = Instant::now() + pause;
        objects.put_off.remember(&self.key, PutOff { pause, until });
    }

    /// Lands, and remembers that the object was moved out of the inbox.
    pub(crate) fn settle(self, end: T) {
        self.flights.lock().settled.remember(&self.key, ());
        self.land(end);
    }

    /// Tells everybody who waits what it came to.
    pub(crate) fn land(self, end: T) {
        // Nobody waiting is no error.
        let _ = self.end.send(Some(end));
    }
}

impl<T> Drop for Flight<T> {
    fn drop(&mut self) {
        self.flights.lock().at_work.remove(&self.key);
    }
}

// === impl Waiting ===

impl<T: Clone> Waiting<T> {
    /// The end of that flight; nothing when it was dropped without one.
    pub(crate) async fn landed(mut self) -> Option<T> {
        let end = self.0.wait_for(Option::is_some).await.ok()?;
        end.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(flights: &Flights<u8>, generation: i64) -> Flight<u8> {
        match flights.board("a", generation) {
            Boarding::Ours(flight) => flight,
            Boarding::Theirs(_) => panic!("somebody else has it"),
        }
    }

    fn theirs(flights: &Flights<u8>) -> Waiting<u8> {
        match flights.board("a", 1) {
            Boarding::Theirs(waiting) => waiting,
            Boarding::Ours(_) => panic!("nobody has it"),
        }
    }

    #[tokio::test]
    async fn everybody_who_waits_is_told_the_end_of_the_first() {
        let flights = Flights::default();
        let flight = ours(&flights, 1);
        let (second, third) = (theirs(&flights), theirs(&flights));
        flight.land(7);
        assert_eq!(
            (second.landed().await, third.landed().await),
            (Some(7), Some(7))
        );
        ours(&flights, 1);
    }

    #[tokio::test]
    async fn a_flight_that_is_dropped_ends_without_an_end() {
        let flights = Flights::default();
        let flight = ours(&flights, 1);
        let waiting = theirs(&flights);
        drop(flight);
        assert_eq!(waiting.landed().await, None);
        ours(&flights, 1);
    }

    #[test]
    fn what_was_settled_is_remembered_for_as_long_as_there_is_room() {
        let flights = Flights::default();
        ours(&flights, 0).land(7);
        assert!(!ours(&flights, 0).is_settled());
        for generation in (1..).take(REMEMBERED + 1) {
            ours(&flights, generation).settle(7);
        }
        assert!(!ours(&flights, 1).is_settled(), "the oldest is forgotten");
        assert!(ours(&flights, 2).is_settled());
        assert_eq!(flights.lock().settled.known.len(), REMEMBERED);
        assert_eq!(flights.lock().settled.order.len(), REMEMBERED);
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_is_put_off_twice_as_long_each_time_and_for_an_hour_at_most() {
        let flights = Flights::default();
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            ours(&flights, 1).put_off();
            tokio::time::advance(Duration::from_secs(minutes * 60 - 1)).await;
            assert!(ours(&flights, 1).is_put_off(), "{minutes}");
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(!ours(&flights, 1).is_put_off(), "{minutes}");
        }
    }

    #[test]
    fn generations_do_not_wait_for_each_other() {
        let flights = Flights::default();
        let _first = ours(&flights, 1);
        ours(&flights, 2);
    }
}
