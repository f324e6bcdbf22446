//! The way to the container: one h2c connection, made when it is needed, or one of HTTP/1.1 for each call.

use std::{io, net::SocketAddr};

use axum::body::Body;
use http::{Request, Response, Version};
use hyper::{
    body::Incoming,
    client::conn::{
        http1,
        http2::{SendRequest, handshake},
    },
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, sync::Mutex};

/// The container's address, and how it is spoken to.
#[derive(Debug)]
pub(super) struct Upstream {
    target: SocketAddr,
    speaks: Speaks,
}

#[derive(Debug)]
enum Speaks {
    /// Over this one connection.
    Http2(Mutex<Option<SendRequest<Body>>>),
    /// Over a new connection for each call: none is found closed just when a call is sent that nobody may repeat.
    Http1,
}

/// Why the container gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    #[error(transparent)]
    Call(#[from] hyper::Error),
}

// === impl Upstream ===

impl Upstream {
    pub(super) fn new(target: SocketAddr, http1: bool) -> Self {
        let speaks = if http1 {
            Speaks::Http1
        } else {
            Speaks::Http2(Mutex::default())
        };
        Self { target, speaks }
    }

    /// The version of HTTP that requests must have.
    pub(super) fn version(&self) -> Version {
        match self.speaks {
            Speaks::Http1 => Version::HTTP_11,
            Speaks::Http2(_) => Version::HTTP_2,
        }
    }

    /// The answer's head.
    pub(super) async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Unanswered> {
        match &self.speaks {
            Speaks::Http1 => self.send_http1(request).await,
            Speaks::Http2(held) => self.send_http2(held, request).await,
        }
    }

    async fn send_http1(&self, request: Request<Body>) -> Result<Response<Incoming>, Unanswered> {
        let (mut sender, connection) = http1::handshake(self.connect().await?).await?;
        tokio::spawn(connection);
        Ok(sender.send_request(request).await?)
    }

    /// A request that was not sent, because the connection had ended, is sent over a new one.
    async fn send_http2(
        &self,
        held: &Mutex<Option<SendRequest<Body>>>,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Unanswered> {
        match self.http2(held).await?.try_send_request(request).await {
            Ok(response) => Ok(response),
            Err(mut error) => match error.take_message() {
                Some(request) => Ok(self.http2(held).await?.send_request(request).await?),
                None => Err(error.into_error().into()),
            },
        }
    }

    async fn http2(
        &self,
        held: &Mutex<Option<SendRequest<Body>>>,
    ) -> Result<SendRequest<Body>, Unanswered> {
        let mut held = held.lock().await;
        if let Some(open) = held.as_mut()
            && !open.is_closed()
            && open.ready().await.is_ok()
        {
            return Ok(open.clone());
        }
        let (fresh, connection) = handshake(TokioExecutor::new(), self.connect().await?).await?;
        // It ends with the container, or after the front end's last call. Each call learns of its own fate.
        tokio::spawn(connection);
        *held = Some(fresh.clone());
        Ok(fresh)
    }

    async fn connect(&self) -> Result<TokioIo<TcpStream>, Unanswered> {
        let stream = TcpStream::connect(self.target).await;
        let stream = stream.map_err(Unanswered::Connect)?;
        // Latency of small frames matters here; a failure costs speed alone.
        let _ = stream.set_nodelay(true);
        Ok(TokioIo::new(stream))
    }
}
