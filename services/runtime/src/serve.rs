//! Serves a router: h2c and HTTP/1.1 on one port, with limits, until it is told to stop.

use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

use crate::exit::Failure;

/// What one service admits. The defaults close what tonic leaves open: see each field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; more wait in the kernel's queue.
    pub connections: usize,
    /// HTTP/2 streams of one connection at once.
    pub streams: u32,
    /// Resets that we send for malformed streams before the connection is closed.
    pub local_resets: usize,
    /// Resets that a client sends before we accept its streams (rapid reset, CVE-2023-44487).
    pub pending_resets: usize,
    /// A request's headers, in bytes.
    pub headers: u32,
    /// How long a client may take for its headers.
    pub header_time: Duration,
    /// How long an HTTP/2 connection may be silent before it is asked for a sign of life.
    pub keepalive: Duration,
    /// How long that sign may take.
    pub keepalive_time: Duration,
    /// How long calls in flight may take after the shutdown.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_000,
            streams: 100,
            local_resets: 128,
            pending_resets: 20,
            headers: 16 * 1024,
            header_time: Duration::from_secs(10),
            keepalive: Duration::from_secs(30),
            keepalive_time: Duration::from_secs(20),
            // Cloud Run kills 10 s after SIGTERM; a second is left for what comes after.
            grace: Duration::from_secs(9),
        }
    }
}

/// Binds an address, or says in words why not.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let mend = match error.kind() {
            io::ErrorKind::AddrInUse => "end what listens there, or choose another port with --port",
            io::ErrorKind::PermissionDenied => "choose a port above 1023 with --port",
            _ => "check --bind and --port",
        };
        Failure::unavailable(format!("cannot listen on {address}: {error}"), mend)
    })
}

/// Serves until `shutdown` ends, then lets calls in flight end, for at most [`Limits::grace`].
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    let server = Server { builder: builder(&limits), router };
    let open = Arc::new(Semaphore::new(limits.connections));
    let connections = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &open) => accepted,
        };
        let connection = connections.watch(server.connection(accepted.stream));
        tokio::spawn(async move {
            // What ends a connection is the client's affair; its calls had their answers or their resets.
            let _ = connection.await;
            drop(accepted.permit);
        });
    }
    drop(listener);
    if timeout(limits.grace, connections.shutdown()).await.is_err() {
        tracing::warn!(grace = ?limits.grace, "calls were still in flight when the grace ended");
    }
}

struct Accepted {
    stream: TcpStream,
    permit: tokio::sync::OwnedSemaphorePermit,
}

/// The next connection, once there is room for it. Running out of file descriptors is waited out.
async fn accept(listener: &TcpListener, open: &Arc<Semaphore>) -> Accepted {
    let permit = open.clone().acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Latency of small frames matters here; a failure costs speed alone.
                let _ = stream.set_nodelay(true);
                return Accepted { stream, permit };
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

struct Server {
    builder: Builder<TokioExecutor>,
    router: Router,
}

impl Server {
    fn connection(
        &self,
        stream: TcpStream,
    ) -> impl hyper_util::server::graceful::GracefulConnection<Error = BoxError> + Send + 'static + use<>
    {
        let service = TowerToHyperService::new(self.router.clone());
        self.builder
            .serve_connection_with_upgrades(TokioIo::new(stream), service)
            .into_owned()
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size((limits.headers as usize).max(8 * 1024));
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
