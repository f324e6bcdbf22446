//! The trace of a call goes to the worker, whether or not this process records any span.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod raw;

use brigade_client::{HttpWorkerClient, WorkerClient};
use brigade_proto::v1::ProcessRequest;
use brigade_telemetry::{remote, within};
use http::HeaderMap;
use tokio::{net::TcpListener, sync::mpsc::UnboundedReceiver};
use url::Url;

use self::raw::{EMPTY, PATIENCE, seeing, streamed};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// What the next call sends.
async fn sent(headers: &mut UnboundedReceiver<HeaderMap>) -> Option<String> {
    let headers = headers.recv().await.unwrap();
    headers.get("traceparent").map(|value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_grpc_worker_gets_the_trace_of_its_caller_and_none_when_there_is_none() {
    let (url, mut headers) = seeing(streamed(EMPTY, "0")).await;
    let client = WorkerClient::new(&url, None, None).unwrap();
    let call = || client.process(ProcessRequest::default(), PATIENCE);
    call().await.into_result().unwrap();
    assert_eq!(sent(&mut headers).await, None);
    within(remote(TRACEPARENT), call()).await.into_result().unwrap();
    assert_eq!(sent(&mut headers).await.unwrap(), TRACEPARENT);
}

#[tokio::test]
async fn an_http_worker_gets_the_trace_of_its_caller_and_none_when_there_is_none() {
    let (sender, mut headers) = tokio::sync::mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let worker = axum::Router::new().fallback(move |headers: HeaderMap| {
        sender.send(headers).unwrap();
        async { "" }
    });
    tokio::spawn(async move { axum::serve(listener, worker).await });
    let client = HttpWorkerClient::new(&url, None, None).unwrap();
    let call = || client.process(ProcessRequest::default(), PATIENCE);
    call().await.into_result().unwrap();
    assert_eq!(sent(&mut headers).await, None);
    within(remote(TRACEPARENT), call()).await.into_result().unwrap();
    assert_eq!(sent(&mut headers).await.unwrap(), TRACEPARENT);
}
