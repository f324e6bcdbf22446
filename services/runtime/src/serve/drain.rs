//! Reads on after an answer that came before the end of its request's body.
//!
//! A client may have sent more of the body by the time it sees the answer. Over HTTP/2 such data counts as a fault of its connection
//! once the stream is forgotten, and many of them end the connection with the calls of others; over HTTP/1.1 the answer itself may be
//! lost. So a bounded rest is read and thrown away. It holds no permit of a call, and keeps no connection open.

use std::{sync::Arc, time::Duration};

use axum::body::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};

/// At most this much is read of one body, in bytes: any message of gRPC fits.
const MAX_REST: usize = 64 * 1024;
/// And for no longer than this.
const MAX_TIME: Duration = Duration::from_secs(1);
/// Bodies that are drained at once, over all connections: each costs about a kilobyte. A further one is dropped at once.
const MAX_DRAINS: usize = 4_096;

/// Permits for the drains of a server.
#[derive(Clone)]
pub(super) struct Drains(Arc<Semaphore>);

impl Default for Drains {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_DRAINS)))
    }
}

/// Reads the rest of a body in the background.
pub(super) fn drain(body: Incoming, drains: Drains) {
    let (Ok(runtime), Ok(permit)) = (Handle::try_current(), drains.0.try_acquire_owned()) else {
        return;
    };
    runtime.spawn(async move {
        let _permit = permit;
        // Without an answer to the client: it has its answer.
        let _ = timeout(MAX_TIME, read(body)).await;
    });
}

async fn read(mut body: Incoming) {
    let mut rest = 0;
    while rest < MAX_REST
        && let Some(Ok(frame)) = body.frame().await
    {
        rest += frame.data_ref().map_or(0, Bytes::len);
    }
}
