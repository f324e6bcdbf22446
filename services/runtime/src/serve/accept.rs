//! Accepts connections, also when the server or the process can have no more of them.

use std::{io, sync::Arc, time::Duration};

use rustix::io::Errno;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

use super::connection::Connections;

/// How long to wait for an evicted connection to close before the next one is evicted.
const EVICTION_TIME: Duration = Duration::from_millis(100);
/// The same where the new connection is not accepted yet: closing a connection takes a moment.
const DESCRIPTOR_TIME: Duration = Duration::from_millis(10);

/// The next connection, and its permit. At the limit the oldest idle connection is closed for it.
pub(super) async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
    connections: &Connections,
) -> (TcpStream, OwnedSemaphorePermit) {
    let stream = next_stream(listener, connections).await;
    loop {
        if let Ok(permit) = permits.clone().try_acquire_owned() {
            return (stream, permit);
        }
        connections.evict_oldest_idle();
        // There may be no idle connection now, and one soon.
        if let Ok(Ok(permit)) = timeout(EVICTION_TIME, permits.clone().acquire_owned()).await {
            return (stream, permit);
        }
    }
}

async fn next_stream(listener: &TcpListener, connections: &Connections) -> TcpStream {
    loop {
        let error = match listener.accept().await {
            Ok((stream, _)) => {
                // Small frames are latency-sensitive; a failure here costs speed alone.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => error,
        };
        if is_out_of_descriptors(&error) {
            connections.warn_out_of_descriptors(&error);
            connections.evict_oldest_idle();
            sleep(DESCRIPTOR_TIME).await;
        } else if !is_of_the_client(&error) {
            tracing::warn!(%error, "cannot accept a connection");
            sleep(EVICTION_TIME).await;
        }
    }
}

/// Of the process (EMFILE), or of the whole system (ENFILE).
fn is_out_of_descriptors(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno == Some(Errno::MFILE) || errno == Some(Errno::NFILE)
}

/// The client closed its connection before it was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
