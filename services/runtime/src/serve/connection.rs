//! One connection: its protocol, its limits, its end.

use std::{
    io,
    pin::pin,
    sync::{Arc, Once},
    time::Duration,
};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    activity::Activity,
    call_limit::CallLimit,
    calls::{self, Routes},
    drain::Drains,
    idle_connections::IdleConnections,
    limits::Limits,
    panic,
};
use crate::wait_limit::WaitLimit;

/// hyper panics below 8 KiB.
const MIN_BUFFER: usize = 8 * 1024;

/// What all connections of a server share.
pub(super) struct Connections {
    builder: Builder<TokioExecutor>,
    routes: Routes,
    /// Permits for calls, of all connections together.
    permits: Arc<Semaphore>,
    waits: WaitLimit,
    drains: Drains,
    idle: Arc<IdleConnections>,
    limits: Limits,
    stop: CancellationToken,
    out_of_descriptors: Once,
}

impl Connections {
    pub(super) fn new(router: Router, limits: Limits) -> Self {
        Self {
            builder: builder(&limits),
            routes: panic::catch(router),
            permits: Arc::new(Semaphore::new(limits.calls)),
            waits: WaitLimit::new(limits.waiting_calls),
            drains: Drains::default(),
            idle: Arc::default(),
            limits,
            stop: CancellationToken::new(),
            out_of_descriptors: Once::new(),
        }
    }

    /// Asks every connection to close after its calls in flight.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Closes the connection that has been idle for longest.
    pub(super) fn evict_oldest_idle(&self) {
        self.idle.evict_oldest_idle();
    }

    /// Warns once: clients decide how often this happens.
    pub(super) fn warn_out_of_descriptors(&self, error: &io::Error) {
        self.out_of_descriptors.call_once(|| {
            tracing::warn!(
                %error,
                "out of file descriptors: closing idle connections to accept new ones; raise the hard limit of open files \
                 (ulimit -Hn) if this service has that many clients"
            );
        });
    }

    /// Serves one connection to its end.
    ///
    /// The server closes a connection gracefully, over HTTP/2 by `GOAWAY`, when it stops, and when the connection is old or idle.
    /// hyper then waits for the calls in flight and for the answer to a ping. A client that neither calls nor answers is cut off;
    /// an evicted connection is cut off at once. One whose protocol is not known yet, because its client was silent, has nothing to
    /// wait for: hyper-util ends it.
    pub(super) fn drive<S>(&self, stream: S) -> impl Future<Output = ()> + Send + 'static + use<S>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let activity = Arc::new(Activity::new());
        let calls = calls::service(
            self.routes.clone(),
            CallLimit::new(self.permits.clone()),
            self.waits.for_connection(),
            self.drains.clone(),
            activity.clone(),
            self.limits.body_time,
        );
        let registration = self.idle.register(activity.clone());
        let (builder, stop, limits) = (self.builder.clone(), self.stop.clone(), self.limits);
        async move {
            let _registration = registration;
            let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), calls));
            // How a connection ends concerns its client alone; its calls were answered or reset.
            let closing_time = tokio::select! {
                // What its client has sent is read before it is evicted.
                biased;
                _ = connection.as_mut() => return,
                () = stopped_or_old(&stop, limits.age) => limits.keepalive_time,
                () = activity.idle(limits.idle) => limits.keepalive_time,
                () = activity.evicted() => Duration::ZERO,
            };
            connection.as_mut().graceful_shutdown();
            activity.touch();
            let evicted = async {
                activity.evicted().await;
                activity.idle(Duration::ZERO).await;
            };
            tokio::select! {
                biased;
                _ = connection => {}
                () = activity.idle(closing_time) => {}
                () = evicted => {}
            }
        }
    }
}

async fn stopped_or_old(stop: &CancellationToken, age: Option<Duration>) {
    let old = async {
        match age {
            Some(age) => sleep(age).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = old => {}
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size((limits.headers as usize).max(MIN_BUFFER));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_local_error_reset_streams(limits.local_resets)
        .max_pending_accept_reset_streams(limits.pending_resets)
        .max_header_list_size(limits.headers)
        .keep_alive_interval(limits.keepalive)
        .keep_alive_timeout(limits.keepalive_time);
    builder
}
