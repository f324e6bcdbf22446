//! As many connections as the calls in flight need.
//!
//! A server limits the streams of an HTTP/2 connection: to 100 at Google's front end and in our own server. A call over the
//! limit waits inside the client, unseen, while its time runs. So the pool counts calls, and opens another connection when
//! all are full.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Service, ServiceExt as _};

/// Calls in flight on one connection. Fewer than a server allows, since a cancelled stream counts there until its reset
/// arrives.
const MAX_STREAMS: usize = 64;

/// Gives each call to the connection with the fewest calls in flight, and opens another when all are full.
///
/// Connections close with the pool: an idle one costs nothing, and is needed again soon. Their number has no
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

pin_project! {
    /// A response body that counts as a call in flight until its last frame, or until it is dropped.
    #[derive(Debug)]
    pub(crate) struct TrackedBody<B> {
        #[pin]
        inner: B,
        count: Option<Arc<()>>,
    }
}

// === impl Pool ===

impl<S: Clone> Pool<S> {
    /// A pool of connections that `open` makes. It makes the first one now, which connects at its first call.
    pub(crate) fn new(open: impl Fn() -> S + Send + Sync + 'static) -> Self {
        let first = Connection::new(open());
        Self(Arc::new(PoolInner { open: Box::new(open), connections: Mutex::new(vec![first]) }))
    }

    /// A connection for one call.
    fn take(&self) -> (S, Arc<()>) {
        // The list is consistent at any time, so a panic while it is locked does no harm.
        let mut connections = self.0.connections.lock().unwrap_or_else(PoisonError::into_inner);
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
    S: Service<Request<A>, Response = Response<B>, Future: Send> + Clone + Send + 'static,
    A: Send + 'static,
{
    type Response = Response<TrackedBody<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // The call itself chooses the connection, and waits for it to be ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let (service, count) = self.take();
        let call = service.oneshot(request);
        Box::pin(async move {
            let count = Some(count);
            Ok(call.await?.map(|inner| TrackedBody { inner, count }))
        })
    }
}

// === impl Connection ===

impl<S: Clone> Connection<S> {
    fn new(service: S) -> Self {
        Self { service, count: Arc::new(()) }
    }

    fn calls(&self) -> usize {
        Arc::strong_count(&self.count) - 1
    }

    fn take(&self) -> (S, Arc<()>) {
        (self.service.clone(), self.count.clone())
    }
}

// === impl TrackedBody ===

impl<B: Body> Body for TrackedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(context));
        if !matches!(&frame, Some(Ok(frame)) if !frame.is_trailers()) {
            *this.count = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests;
