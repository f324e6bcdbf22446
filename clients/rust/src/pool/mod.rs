//! As many connections as the calls in flight need.
//!
//! One HTTP/2 connection carries as many calls at once as its server lets it: 100 at Google's front end and at our own
//! server. A call over that waits inside of the client, unseen, while its time runs. So calls are counted, and one that
//! would be too many for the connections that there are gets another.

mod body;
mod future;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use http::{Request, Response};
use tower::{Service, ServiceExt as _};

pub(crate) use body::Counted;
use future::Counting;

/// Calls of one connection at once. Less than a server allows, since a stream that was given up counts there until its
/// reset arrives.
const SHARE: usize = 64;

/// Gives each call to the connection with the fewest calls in flight, and opens another when each has its share.
///
/// None is closed before the pool is: one that lies idle costs a ping now and then, and the calls that needed it come again.
/// How many there are is up to whoever calls: calls are never made to wait.
pub(crate) struct Pool<S>(Arc<Lanes<S>>);

struct Lanes<S> {
    open: Box<dyn Fn() -> S + Send + Sync>,
    lanes: Mutex<Vec<Lane<S>>>,
}

/// One connection.
struct Lane<S> {
    service: S,
    /// Each call in flight has a clone.
    count: Arc<()>,
}

/// A call in flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    _count: Arc<()>,
}

// === impl Pool ===

impl<S: Clone> Pool<S> {
    /// A pool of what `open` makes, which connects at its first call. One is made now.
    pub(crate) fn new(open: impl Fn() -> S + Send + Sync + 'static) -> Self {
        let first = Lane::new(open());
        Self(Arc::new(Lanes {
            open: Box::new(open),
            lanes: Mutex::new(vec![first]),
        }))
    }

    /// A connection for one call.
    fn take(&self) -> (S, InFlight) {
        // Nothing is half done while it is held, so a panic leaves it as good as it was.
        let mut lanes = self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let free = lanes
            .iter()
            .min_by_key(|lane| lane.calls())
            .filter(|lane| lane.calls() < SHARE);
        if let Some(lane) = free {
            return lane.take();
        }
        let lane = Lane::new((self.0.open)());
        let taken = lane.take();
        lanes.push(lane);
        taken
    }
}

impl<S> Clone for Pool<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> fmt::Debug for Pool<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl<S, A, B> Service<Request<A>> for Pool<S>
where
    S: Service<Request<A>, Response = Response<B>> + Clone,
{
    type Response = Response<Counted<B>>;
    type Error = S::Error;
    type Future = Counting<S, A>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // Which connection has to be ready shows when the call is made.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let (service, in_flight) = self.take();
        Counting::new(service.oneshot(request), in_flight)
    }
}

// === impl Lane ===

impl<S: Clone> Lane<S> {
    fn new(service: S) -> Self {
        Self {
            service,
            count: Arc::new(()),
        }
    }

    fn calls(&self) -> usize {
        Arc::strong_count(&self.count) - 1
    }

    fn take(&self) -> (S, InFlight) {
        let in_flight = InFlight {
            _count: self.count.clone(),
        };
        (self.service.clone(), in_flight)
    }
}

#[cfg(test)]
mod tests;
