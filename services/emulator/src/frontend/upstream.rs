//! The way to the container: a few h2c connections, made when they are needed, or one of HTTP/1.1 for each call.

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

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

/// A container lets a connection carry about 100 calls at once, and Cloud Run gives an instance 1,000 at most.
const CONNECTIONS: usize = 16;

/// The container's address, and how it is spoken to.
#[derive(Debug)]
pub(super) struct Upstream {
    target: SocketAddr,
    speaks: Speaks,
}

#[derive(Debug)]
enum Speaks {
    /// Over these connections in turn.
    Http2 { lanes: Box<[Lane]>, next: AtomicUsize },
    /// Over a new connection for each call: none is found closed just when a call is sent that may not be repeated.
    Http1,
}

type Lane = Mutex<Option<SendRequest<Body>>>;

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
            Speaks::Http2 {
                lanes: (0..CONNECTIONS).map(|_| Lane::default()).collect(),
                next: AtomicUsize::default(),
            }
        };
        Self { target, speaks }
    }

    /// The version of HTTP that requests must have.
    pub(super) fn version(&self) -> Version {
        match self.speaks {
            Speaks::Http1 => Version::HTTP_11,
            Speaks::Http2 { .. } => Version::HTTP_2,
        }
    }

    /// The answer's head.
    pub(super) async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Unanswered> {
        match &self.speaks {
            Speaks::Http1 => self.send_http1(request).await,
            Speaks::Http2 { lanes, next } => {
                let turn = next.fetch_add(1, Ordering::Relaxed) % CONNECTIONS;
                self.send_http2(&lanes[turn], request).await
            }
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
        held: &Lane,
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

    async fn http2(&self, held: &Lane) -> Result<SendRequest<Body>, Unanswered> {
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

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, sync::Arc};

    use axum::{Router, routing::get};
    use hyper_util::{server::conn::auto::Builder, service::TowerToHyperService};
    use tokio::{net::TcpListener, sync::Barrier, task::JoinSet};

    use super::*;

    /// More calls than one of its connections carries.
    const CALLS: usize = 1_000;

    /// A container whose calls are answered when all are there.
    async fn gated() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let all = Arc::new(Barrier::new(CALLS));
        let wait = async move || {
            all.wait().await;
        };
        let service = TowerToHyperService::new(Router::new().route("/", get(wait)));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = service.clone();
                tokio::spawn(async move {
                    let mut builder = Builder::new(TokioExecutor::new());
                    builder.http2().max_concurrent_streams(100);
                    let served = builder.serve_connection(TokioIo::new(stream), service);
                    let _ = served.await;
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn a_thousand_calls_are_inside_the_container_at_once() {
        let upstream = Arc::new(Upstream::new(gated().await, false));
        let mut calls = JoinSet::new();
        for _ in 0..CALLS {
            let upstream = upstream.clone();
            calls.spawn(async move {
                let request = Request::get("http://container/").version(Version::HTTP_2);
                upstream.send(request.body(Body::empty()).unwrap()).await
            });
        }
        // A call that waits for another one to end would wait for ever.
        let patience = std::time::Duration::from_secs(60);
        let answers = tokio::time::timeout(patience, calls.join_all()).await;
        for answer in answers.expect("all calls are inside") {
            assert!(answer.unwrap().status().is_success());
        }
    }
}
