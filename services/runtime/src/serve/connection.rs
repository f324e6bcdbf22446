//! One connection: its protocol, its limits, its end.

use std::{pin::pin, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{net::TcpStream, sync::OwnedSemaphorePermit, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{limits::Limits, opening::Opening};

/// hyper's default is 400 KiB and the least it takes is 8 KiB.
const LEAST_BUFFER: usize = 8 * 1024;

/// What all connections of a server share.
pub(super) struct Connections {
    builder: Builder<TokioExecutor>,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
}

impl Connections {
    pub(super) fn new(router: Router, limits: Limits) -> Self {
        let builder = builder(&limits);
        Self {
            builder,
            router,
            limits,
            stop: CancellationToken::new(),
        }
    }

    /// Asks every connection to end after the calls it has in flight.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Serves one connection to its end. The permit is given back then.
    pub(super) fn drive(
        &self,
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        let io = TokioIo::new(Opening::new(stream, self.limits.header_time));
        let service = TowerToHyperService::new(self.router.clone());
        let (builder, stop, age) = (self.builder.clone(), self.stop.clone(), self.limits.age);
        async move {
            let mut connection = pin!(builder.serve_connection(io, service));
            // How a connection ends is the client's affair; its calls had their answers or their resets.
            tokio::select! {
                _ = connection.as_mut() => return,
                () = told_to_end(&stop, age) => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
            drop(permit);
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
