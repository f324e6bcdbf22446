//! Things that stand where a worker should, and answer something that is not gRPC.

use axum::{Router, http::StatusCode, response::Html};
use bytes::Bytes;
use http::Response;
use url::Url;

use super::{loopback, url};

/// A front end that answers every call with a page.
pub(crate) async fn front_end(status: u16) -> Url {
    let status = StatusCode::from_u16(status).unwrap();
    let router =
        Router::new().fallback(move || async move { (status, Html("<h1>That's an error.</h1>")) });
    let listener = loopback().await;
    let url = url(&listener);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// A server that begins a gRPC answer, with a whole message even, and cuts the stream before its status.
pub(crate) async fn cut_short() -> Url {
    let listener = loopback().await;
    let url = url(&listener);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    let head = Response::builder()
                        .header("content-type", "application/grpc")
                        .body(())
                        .unwrap();
                    let mut body = respond.send_response(head, false).unwrap();
                    // An empty message: not compressed, no bytes.
                    body.send_data(Bytes::from_static(&[0; 5]), false).unwrap();
                    body.send_reset(h2::Reason::INTERNAL_ERROR);
                }
            });
        }
    });
    url
}
