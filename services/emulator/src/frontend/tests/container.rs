//! A container that keeps what it heard, and echoes a body with its trailers.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use axum::{Router, body::Body, routing::any};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, request};
use http_body::Frame;
use tokio::{
    net::TcpListener,
    sync::{
        Notify,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
};
use tokio_util::sync::CancellationToken;

use super::loopback;

/// A container, running.
pub(super) struct Container {
    pub(super) address: SocketAddr,
    heard: Arc<Mutex<Vec<request::Parts>>>,
    pub(super) arrived: Arc<Notify>,
    pub(super) gone: Arc<Notify>,
    stop: CancellationToken,
}

/// It echoes; below `/hang` it never answers.
pub(super) async fn container() -> Container {
    on(loopback().await)
}

/// The same on this listener.
pub(super) fn on(listener: TcpListener) -> Container {
    let container = Container {
        address: listener.local_addr().unwrap(),
        heard: Arc::default(),
        arrived: Arc::default(),
        gone: Arc::default(),
        stop: CancellationToken::new(),
    };
    let (calls, arrived) = (container.heard.clone(), container.arrived.clone());
    let gone = container.gone.clone();
    let router = Router::new().fallback(any(move |request: Request<Body>| {
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let over = Held(gone.clone());
        calls.lock().unwrap().push(head);
        arrived.notify_one();
        async move {
            if path.starts_with("/hang") {
                std::future::pending::<()>().await;
            }
            let body = Body::new(Echo { body, _held: over });
            Response::builder().header("content-type", "application/grpc").body(body).unwrap()
        }
    }));
    let serving = crate::serve::serve(listener, router, container.stop.clone());
    tokio::spawn(serving);
    container
}

impl Container {
    /// The last call that arrived.
    pub(super) fn heard(&self) -> Option<request::Parts> {
        self.heard.lock().unwrap().pop()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Tells when a call is over for the container.
struct Held(Arc<Notify>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// What comes goes back.
struct Echo {
    body: Body,
    _held: Held,
}

impl http_body::Body for Echo {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }
}

/// A body whose frames are sent one by one; it ends when the sender is dropped, and breaks on an error.
pub(super) struct Frames(UnboundedReceiver<Result<Frame<Bytes>, std::io::Error>>);

pub(super) type Sender = UnboundedSender<Result<Frame<Bytes>, std::io::Error>>;

pub(super) fn frames() -> (Sender, Frames) {
    let (sender, receiver) = unbounded_channel();
    (sender, Frames(receiver))
}

pub(super) fn data(bytes: &'static str) -> Frame<Bytes> {
    Frame::data(Bytes::from_static(bytes.as_bytes()))
}

pub(super) fn trailers(status: &str) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    Frame::trailers(trailers)
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context)
    }
}
