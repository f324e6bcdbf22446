//! A limit on the calls that wait until their tokens can be checked, so that they leave places for calls that need not wait.
//!
//! Any client can send a token with an unknown key, and make its call wait for the issuer's key server.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// A connection may have this many waiting calls also when half of the limit is used, so that a few connections cannot use all of it.
const FEW: usize = 8;

/// The limit as one connection has it.
#[derive(Clone, Debug)]
pub(crate) struct WaitLimit(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    limit: usize,
    /// Waiting calls of all connections.
    all: Arc<AtomicUsize>,
    /// Those of this connection.
    own: AtomicUsize,
}

/// A call that waits, until this is dropped.
pub(crate) struct Waiting(Arc<Counts>);

impl WaitLimit {
    /// For a first connection.
    pub(crate) fn new(limit: usize) -> Self {
        Self::with(limit, Arc::default())
    }

    /// For another connection.
    pub(crate) fn for_connection(&self) -> Self {
        Self::with(self.0.limit, self.0.all.clone())
    }

    fn with(limit: usize, all: Arc<AtomicUsize>) -> Self {
        Self(Arc::new(Counts { limit, all, own: AtomicUsize::new(0) }))
    }

    /// `None` over the limit.
    pub(crate) fn try_wait(&self) -> Option<Waiting> {
        let own = self.0.own.fetch_add(1, Ordering::AcqRel);
        let all = self.0.all.fetch_add(1, Ordering::AcqRel);
        let waiting = Waiting(self.0.clone());
        let limit = if own < FEW { self.0.limit } else { self.0.limit / 2 };
        (all < limit).then_some(waiting)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.own.fetch_sub(1, Ordering::AcqRel);
        self.0.all.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_connections_leave_room_for_another_one_and_all_give_it_back() {
        let first = WaitLimit::new(100);
        let mut waiting = Vec::new();
        for connection in (0..5).map(|_| first.for_connection()) {
            waiting.extend((0..100).map_while(|_| connection.try_wait()));
        }
        assert_eq!(waiting.len(), 50 + 4 * FEW);
        waiting.extend((0..100).map_while(|_| first.try_wait()));
        assert_eq!(waiting.len(), 50 + 5 * FEW);
        for connection in (0..100).map(|_| first.for_connection()) {
            waiting.extend(connection.try_wait());
        }
        assert_eq!(waiting.len(), 100);
        waiting.clear();
        assert_eq!((0..100).map_while(|_| first.try_wait()).collect::<Vec<_>>().len(), 50);
    }
}
