//! One connection: its protocol, its limits, its end.

use std::{pin::pin, sync::Arc, time::Duration};

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
    calls::{Calls, Routes},
    crowd::Crowd,
    limits::Limits,
    opening::Opening,
    panic,
    shed::Room,
};

/// hyper's default is 400 KiB and the least it takes is 8 KiB.
const LEAST_BUFFER: usize = 8 * 1024;

/// What all connections of a server share.
pub(super) struct Connections {
    builder: Builder<TokioExecutor>,
    routes: Routes,
    /// Places for calls, of all connections together.
    places: Arc<Semaphore>,
    crowd: Arc<Crowd>,
    limits: Limits,
    stop: CancellationToken,
}

impl Connections {
    pub(super) fn new(router: Router, limits: Limits) -> Self {
        Self {
            builder: builder(&limits),
            routes: panic::layer(router),
            places: Arc::new(Semaphore::new(limits.calls)),
            crowd: Arc::default(),
            limits,
            stop: CancellationToken::new(),
        }
    }

    /// Asks every connection to end after the calls it has in flight.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Ends the connection that has been idle for longest.
    pub(super) fn make_room(&self) {
        self.crowd.make_room();
    }

    /// Serves one connection to its end.
    ///
    /// It is asked to end, over HTTP/2 by `GOAWAY`, when the server stops, when it is old, and when it is idle. Its client
    /// has its say then: hyper waits for an answer to a ping, and for the calls in flight. A client that does neither call nor
    /// answer is left; one whose room is wanted is told and left.
    pub(super) fn drive<S>(&self, stream: S) -> impl Future<Output = ()> + Send + 'static + use<S>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let io = TokioIo::new(Opening::new(stream, self.limits.header_time));
        let activity = Arc::new(Activity::new());
        let calls = Calls::new(
            self.routes.clone(),
            Room::new(self.places.clone()),
            activity.clone(),
            self.limits.body_time,
        );
        let seat = self.crowd.join(activity.clone());
        let (builder, stop, limits) = (self.builder.clone(), self.stop.clone(), self.limits);
        async move {
            let mut connection = pin!(builder.serve_connection(io, calls));
            // How a connection ends is the client's affair; its calls had their answers or their resets.
            let parting = tokio::select! {
                _ = connection.as_mut() => return,
                () = told_to_end(&stop, limits.age) => limits.keepalive_time,
                () = activity.idle(limits.idle) => limits.keepalive_time,
                () = seat.wanted() => Duration::ZERO,
            };
            connection.as_mut().graceful_shutdown();
            activity.touch();
            let wanted = async {
                seat.wanted().await;
                activity.idle(Duration::ZERO).await;
            };
            tokio::select! {
                biased;
                _ = connection => {}
                () = activity.idle(parting) => {}
                () = wanted => {}
            }
        }
    }
}

async fn told_to_end(stop: &CancellationToken, age: Option<Duration>) {
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
        .max_buf_size((limits.headers as usize).max(LEAST_BUFFER));
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
