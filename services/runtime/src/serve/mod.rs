//! Serves a router: h2c and HTTP/1.1 on one port, with limits, until it is told to stop.

mod activity;
mod arriving;
mod calls;
mod connection;
mod crowd;
mod limits;
mod opening;
mod panic;
mod sending;
mod shed;

use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};

use self::connection::Connections;
pub use self::limits::Limits;
use crate::exit::Failure;

/// Connections that the kernel holds for us until they are accepted. With tokio's own number a thousand clients at once fill
/// the queue, and a health check waits seconds for its packet to be sent again.
const BACKLOG: u32 = 4_096;

/// How long room is waited for until it is made again.
const CROWDED: Duration = Duration::from_millis(100);

/// Binds an address, or says in words why not.
#[allow(
    clippy::unused_async,
    reason = "it needs a runtime, as its callers have one"
)]
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    listen(address).map_err(|error| cannot_listen(address, &error))
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "end what listens there, or choose another port with --port (PORT)"
        }
        io::ErrorKind::PermissionDenied => "choose a port above 1023 with --port (PORT)",
        io::ErrorKind::AddrNotAvailable => {
            "choose an address that this machine has with --bind (BRIGADE_BIND)"
        }
        _ => "check --bind (BRIGADE_BIND) and --port (PORT)",
    };
    Failure::unavailable(format!("cannot listen on {address}: {error}"), hint)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // As tokio and the standard library do: a port in its last minute can be had again.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `shutdown` ends, then refuses new connections and calls and lets those in flight end, for at most
/// [`Limits::grace`]; what is still in flight then is cut off.
///
/// A handler that panics answers INTERNAL or 500, and the server goes on.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    let connections = Connections::new(router, limits);
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut open = JoinSet::new();
    {
        let mut shutdown = pin!(shutdown);
        // It outlives a turn of the loop: it may hold a connection that waits for room.
        let mut next = pin!(accept(&listener, &room, &connections));
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = open.join_next() => {}
                (stream, permit) = &mut next => {
                    next.set(accept(&listener, &room, &connections));
                    let driven = connections.drive(stream);
                    open.spawn(async move {
                        driven.await;
                        drop(permit);
                    });
                }
            }
        }
    }
    drop(listener);
    connections.stop();
    let drained = async { while open.join_next().await.is_some() {} };
    if timeout(limits.grace, drained).await.is_err() {
        tracing::warn!(
            connections = open.len(),
            grace = ?limits.grace,
            "calls were still in flight when the grace ended; they are cut off"
        );
        open.shutdown().await;
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    connections: &Connections,
) -> (TcpStream, OwnedSemaphorePermit) {
    let stream = arrival(listener).await;
    loop {
        if let Ok(permit) = room.clone().try_acquire_owned() {
            return (stream, permit);
        }
        connections.make_room();
        // Nobody may be idle now, and somebody soon.
        if let Ok(Ok(permit)) = timeout(CROWDED, room.clone().acquire_owned()).await {
            return (stream, permit);
        }
    }
}

/// The next connection. Running out of file descriptors is waited out.
async fn arrival(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Latency of small frames matters here; a failure costs speed alone.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            // The client went away before it was its turn; that is no reason to wait.
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests;
