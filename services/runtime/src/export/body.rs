//! The body of an answer, in bounded memory.

use bytes::{Bytes, BytesMut};

/// A whole body, unless it is longer or does not arrive.
pub(super) async fn read(mut response: reqwest::Response, most: usize) -> Option<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > most {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body.freeze())
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, routing::get};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_answer_without_its_length_is_read_up_to_the_most_that_it_may_have() {
        let chunks =
            || Body::from_stream(tokio_stream::iter([Ok::<_, std::fmt::Error>("12345"); 4]));
        let routes = Router::new().route("/", get(async move || chunks()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, routes).await });
        let answer = async || reqwest::get(&url).await.unwrap();
        assert_eq!(answer().await.content_length(), None);
        assert_eq!(read(answer().await, 20).await.unwrap().len(), 20);
        assert_eq!(read(answer().await, 19).await, None);
    }
}
