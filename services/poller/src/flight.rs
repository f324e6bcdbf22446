//! Which objects are at work on this instance, so that nothing is done twice at once: duplicates of an event wait for the
//! first one, and share its end.
//!
//! This only saves work. Two instances may well ask the worker about one object at once; generations see to it that one
//! of them settles it.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// An object generation of the inbox's bucket.
type Key = (String, i64);
type Ends<T> = HashMap<Key, watch::Receiver<Option<T>>>;

/// The objects at work, each with the end that it will come to.
#[derive(Debug)]
pub(crate) struct Flights<T>(Arc<Mutex<Ends<T>>>);

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
        match self.lock().entry(key.clone()) {
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

    fn lock(&self) -> MutexGuard<'_, Ends<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Flights<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

// === impl Flight ===

impl<T> Flight<T> {
    /// Tells everybody who waits what it came to.
    pub(crate) fn land(self, end: T) {
        // Nobody waiting is no error.
        let _ = self.end.send(Some(end));
    }
}

impl<T> Drop for Flight<T> {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.key);
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
    fn generations_do_not_wait_for_each_other() {
        let flights = Flights::default();
        let _first = ours(&flights, 1);
        ours(&flights, 2);
    }
}
