//! Serves a router: h2c and HTTP/1.1 on one port, with limits, until the shutdown.

mod accept;
mod activity;
mod body_timeout;
mod call_limit;
mod calls;
mod connection;
mod descriptors;
mod drain;
mod idle_connections;
mod limits;
mod observed;
mod panic;
mod tracked_body;

use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};

pub use self::limits::Limits;
pub(crate) use self::observed::SpanLayer;
use self::{accept::accept, connection::Connections};
use crate::exit::Failure;

/// Connections that the kernel queues until the server accepts them. With tokio's own number a thousand clients at once fill the
/// queue, and a health check then waits seconds for its packet to be sent again.
const BACKLOG: u32 = 4_096;

/// Binds an address; the failure names the address, the cause and the fix.
#[allow(clippy::unused_async, reason = "it needs a runtime, as its callers have one")]
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    listen(address).map_err(|error| cannot_listen(address, &error))
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "stop the process that listens there, or choose another port with --port (PORT)"
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
    // As tokio and the standard library do: a port whose old connections are in TIME_WAIT can be bound again.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `shutdown` resolves, then refuses new connections and calls and waits for those in flight, for at most
/// [`Limits::grace`]; calls that are still in flight then are aborted.
///
/// A handler that panics answers INTERNAL or 500, and the server continues.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    let limits =
        Limits { connections: limits.connections.min(descriptors::for_connections()), ..limits };
    let connections = Connections::new(router, limits);
    let permits = Arc::new(Semaphore::new(limits.connections));
    let mut open = JoinSet::new();
    {
        let mut shutdown = pin!(shutdown);
        // It outlives a turn of the loop, because it may hold a connection that waits for a permit.
        let mut next = pin!(accept(&listener, &permits, &connections));
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = open.join_next() => {}
                (stream, permit) = &mut next => {
                    next.set(accept(&listener, &permits, &connections));
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
            "shutdown: aborting the calls that are still in flight after the grace period"
        );
        open.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
