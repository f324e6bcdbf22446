//! As many connections as the calls in flight need.
//!
//! A server limits the streams of an HTTP/2 connection: to 100 at Google's front end and in our own server. A call over the
//! limit waits inside the client, unseen, while its time runs. So the pool counts calls, and opens another connection when
//! all are full.

mod body;
mod future;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use http::{Request, Response};
use tower::{Service, ServiceExt as _};

pub(crate) use body::TrackedBody;
use future::TrackedCall;

/// Calls in flight on one connection. Fewer than a server allows, since a cancelled stream counts there until its reset
/// arrives.
const MAX_STREAMS: usize = 64;

/// Gives each call to the connection with the fewest calls in flight, and opens another when all are full.
///
/// Connections close with the pool: an idle one costs a ping now and then, and is needed again soon. Their number has no
/// limit but the caller's: a call never waits.
pub(crate) struct Pool<S>(Arc<PoolInner<S>>);

struct PoolInner<S> {
    open: Box<dyn Fn() -> S + Send + Sync>,
    connections: Mutex<Vec<Connection<S>>>,
}

/// One connection.
struct Connection<S> {
    service: S,
    /// Each call in flight has a clone.
    count: Arc<()>,
}

/// Counts a call as in flight until it is dropped.
#[derive(Debug)]
pub(crate) struct CallGuard {
    _count: Arc<()>,
}

// === impl Pool ===

impl<S: Clone> Pool<S> {
    /// A pool of connections that `open` makes. It makes the first one now, which connects at its first call.
    pub(crate) fn new(open: impl Fn() -> S + Send + Sync + 'static) -> Self {
        let first = Connection::new(open());
        Self(Arc::new(PoolInner {
            open: Box::new(open),
            connections: Mutex::new(vec![first]),
        }))
    }

    /// A connection for one call.
    fn take(&self) -> (S, CallGuard) {
        // The list is consistent at any time, so a panic while it is locked does no harm.
        let mut connections = self
            .0
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let free = connections
            .iter()
            .min_by_key(|connection| connection.calls())
            .filter(|connection| connection.calls() < MAX_STREAMS);
        if let Some(connection) = free {
            return connection.take();
        }
        let connection = Connection::new((self.0.open)());
        let taken = connection.take();
        connections.push(connection);
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
    type Response = Response<TrackedBody<B>>;
    type Error = S::Error;
    type Future = TrackedCall<S, A>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // The call itself chooses the connection, and waits for it to be ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let (service, guard) = self.take();
        TrackedCall::new(service.oneshot(request), guard)
    }
}

// === impl Connection ===

impl<S: Clone> Connection<S> {
    fn new(service: S) -> Self {
        Self {
            service,
            count: Arc::new(()),
        }
    }

    fn calls(&self) -> usize {
        Arc::strong_count(&self.count) - 1
    }

    fn take(&self) -> (S, CallGuard) {
        let guard = CallGuard {
            _count: self.count.clone(),
        };
        (self.service.clone(), guard)
    }
}

#[cfg(test)]
mod tests;
