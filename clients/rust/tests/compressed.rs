//! Answers that a worker of another library compresses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod raw;

use std::io::Write as _;

use brigade_client::{
    WorkerClient,
    answer::{Answer, TransportError},
};
use brigade_proto::v1::{ProcessRequest, ProcessResponse};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue};
use prost::Message as _;
use url::Url;

use self::raw::{GRPC, PATIENCE, Respond, head, server};

/// A worker that accepts with a summary of `length` bytes, compressed with gzip and called `encoding`.
async fn worker(length: usize, encoding: &'static str) -> Url {
    let response = ProcessResponse { summary: "x".repeat(length), ..ProcessResponse::default() };
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&response.encode_to_vec()).unwrap();
    let packed = packed.finish().unwrap();
    // The flag of a compressed message, and its length.
    let length = u32::try_from(packed.len()).unwrap().to_be_bytes();
    let message = Bytes::from([&[1][..], &length, &packed].concat());
    server(move |mut respond: Respond| {
        let head = head(200, &[GRPC, ("grpc-encoding", encoding)]);
        let mut body = respond.send_response(head, false).unwrap();
        body.send_data(message.clone(), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        body.send_trailers(trailers).unwrap();
    })
    .await
}

async fn asked(url: &Url) -> Answer {
    let client = WorkerClient::new(url, None, None).unwrap();
    client.process(ProcessRequest::default(), PATIENCE).await
}

#[tokio::test]
async fn an_answer_that_is_compressed_with_gzip_is_read() {
    let answer = asked(&worker(2_000, "gzip").await).await;
    assert_eq!(answer.into_result().unwrap().summary.len(), 2_000);
}

#[tokio::test]
async fn an_answer_that_unpacks_to_more_than_the_limit_is_too_large() {
    let answer = asked(&worker(60 * 1024 * 1024, "gzip").await).await;
    let Answer::TooLarge { found, .. } = &answer else { panic!("{answer:?}") };
    assert!(found.contains("65536"), "{found}");
}

#[tokio::test]
async fn an_answer_in_another_encoding_names_it() {
    let answer = asked(&worker(2_000, "br").await).await;
    assert_eq!(answer, Answer::Transport(TransportError::Encoding("br".into())));
}
