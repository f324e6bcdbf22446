//! The way to the container: one h2c connection, made when it is needed.

use std::{io, net::SocketAddr};

use axum::body::Body;
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http2::{SendRequest, handshake},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, sync::Mutex};

/// One h2c connection, made when it is needed.
#[derive(Debug)]
pub(super) struct Upstream {
    target: SocketAddr,
    connection: Mutex<Option<SendRequest<Body>>>,
}

/// Why the container gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    #[error(transparent)]
    Call(#[from] hyper::Error),
}

impl Upstream {
    pub(super) fn new(target: SocketAddr) -> Self {
        Self {
            target,
            connection: Mutex::default(),
        }
    }

    /// The answer's head. A request that was not sent, because the connection had ended, is sent over a new one.
    pub(super) async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Unanswered> {
        match self.connection().await?.try_send_request(request).await {
            Ok(response) => Ok(response),
            Err(mut error) => match error.take_message() {
                Some(request) => Ok(self.connection().await?.send_request(request).await?),
                None => Err(error.into_error().into()),
            },
        }
    }

    async fn connection(&self) -> Result<SendRequest<Body>, Unanswered> {
        let mut held = self.connection.lock().await;
        if let Some(open) = held.as_mut()
            && !open.is_closed()
            && open.ready().await.is_ok()
        {
            return Ok(open.clone());
        }
        let stream = TcpStream::connect(self.target).await;
        let stream = stream.map_err(Unanswered::Connect)?;
        // Latency of small frames matters here; a failure costs speed alone.
        let _ = stream.set_nodelay(true);
        let (fresh, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        // It ends with the container, or after the front end's last call. Each call learns of its own fate.
        tokio::spawn(connection);
        *held = Some(fresh.clone());
        Ok(fresh)
    }
}
