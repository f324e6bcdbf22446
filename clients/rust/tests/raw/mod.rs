//! A raw HTTP/2 server, which sends what it is told.

#![allow(dead_code, reason = "each test binary needs some of it")]

use std::time::Duration;

use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};
use url::Url;

/// Longer than any call takes on a busy machine: a call that hangs fails its test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Respond = SendResponse<Bytes>;

/// Serves each call with `answer`, until the test ends.
pub(crate) async fn server(answer: impl Fn(Respond) + Send + Sync + Clone + 'static) -> Url {
    seeing(answer).await.0
}

/// The same, and the headers of the calls.
pub(crate) async fn seeing(
    answer: impl Fn(Respond) + Send + Sync + Clone + 'static,
) -> (Url, UnboundedReceiver<HeaderMap>) {
    let (sender, headers) = unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, sender) = (answer.clone(), sender.clone());
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, respond))) = connection.accept().await {
                    // A test that looks at none has dropped them.
                    let _ = sender.send(request.headers().clone());
                    drain(request);
                    answer(respond);
                }
            });
        }
    });
    (url, headers)
}

/// Reads the request to its end, as a worker would.
pub(crate) fn drain(request: Request<RecvStream>) {
    tokio::spawn(async move {
        let mut body = request.into_body();
        while let Some(Ok(piece)) = body.data().await {
            let _ = body.flow_control().release_capacity(piece.len());
        }
    });
}

pub(crate) fn head(status: u16, headers: &[(&'static str, &str)]) -> Response<()> {
    let mut response = Response::builder().status(status).body(()).unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    response
}

pub(crate) const GRPC: (&str, &str) = ("content-type", "application/grpc");
/// A message of no bytes, not compressed: an empty `ProcessResponse`.
pub(crate) const EMPTY: &[u8] = &[0; 5];

pub(crate) fn page(
    status: u16,
    extra: &'static [(&'static str, &'static str)],
) -> impl Fn(Respond) + Clone {
    move |mut respond| {
        let mut headers = vec![("content-type", "text/html; charset=UTF-8")];
        headers.extend_from_slice(extra);
        let mut body = respond.send_response(head(status, &headers), false).unwrap();
        body.send_data(Bytes::from_static(b"<html><h1>Error</h1></html>"), true).unwrap();
    }
}

/// A message, if any, then trailers with these values of `grpc-status` and `grpc-message`.
pub(crate) fn streamed(message: &'static [u8], status: &'static str) -> impl Fn(Respond) + Clone {
    move |mut respond| {
        let mut body = respond.send_response(head(200, &[GRPC]), false).unwrap();
        if !message.is_empty() {
            body.send_data(Bytes::from_static(message), false).unwrap();
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static(status));
        trailers.insert("grpc-message", HeaderValue::from_static("said%20so"));
        body.send_trailers(trailers).unwrap();
    }
}

pub(crate) fn trailers_only(status: &'static str) -> impl Fn(Respond) + Clone {
    move |mut respond| {
        respond.send_response(head(200, &[GRPC, ("grpc-status", status)]), true).unwrap();
    }
}
