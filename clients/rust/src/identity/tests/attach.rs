//! The layer, around services of several kinds.

use std::{convert::Infallible, sync::atomic::Ordering};

use ::http::{
    HeaderMap, Request, Response, StatusCode,
    header::{AUTHORIZATION, HeaderName},
};
use brigade_proto::v1::{
    PollRequest, PollResponse,
    poller_service_client::PollerServiceClient,
    poller_service_server::{PollerService, PollerServiceServer},
};
use tokio_stream::{StreamExt as _, wrappers::TcpListenerStream};
use tonic::{
    Status,
    transport::{Channel, Server},
};
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};
use url::Url;

use super::{
    cache::{Counting, cached},
    *,
};
use crate::identity::attach::{AttachLayer, Attached};

const SERVERLESS: &str = "x-serverless-authorization";

fn layer(url: &str) -> Result<AttachLayer, Error> {
    layer_of(Counting::default(), url).map(|(_, layer)| layer)
}

fn layer_of(source: Counting, url: &str) -> Result<(Arc<Counting>, AttachLayer), Error> {
    let (source, cached) = cached(source);
    let layer = AttachLayer::new(cached, &Url::parse(url).unwrap(), None)?;
    Ok((source, layer))
}

/// Answers with the headers it was sent.
#[allow(clippy::unused_async, reason = "a service's function is one")]
async fn echo(request: Request<()>) -> Result<Response<HeaderMap>, Infallible> {
    Ok(Response::new(request.headers().clone()))
}

#[tokio::test]
async fn the_token_stands_in_both_headers_and_in_nothing_that_logs() {
    let mut service = layer("https://worker.example/a?b").unwrap().layer(service_fn(echo));
    // The first call fetches the token; the second finds it cached.
    for _ in 0..2 {
        let request = Request::builder()
            .header(AUTHORIZATION, "Basic b2xk")
            .header(SERVERLESS, "Bearer forged")
            .body(())
            .unwrap();
        let headers = service.ready().await.unwrap().call(request).await.unwrap();
        let headers = headers.into_body();
        let bearer = headers[AUTHORIZATION].to_str().unwrap();
        assert!(bearer.starts_with("Bearer eyJ"));
        assert_eq!(headers[SERVERLESS], bearer);
        for name in [AUTHORIZATION, HeaderName::from_static(SERVERLESS)] {
            assert_eq!(headers.get_all(name).iter().count(), 1);
        }
        assert!(!format!("{headers:?}").contains("eyJ"), "a header's Debug shows the token");
    }
}

#[test]
fn a_token_is_not_sent_in_the_clear() {
    let error = layer("http://worker.example").unwrap_err();
    assert!(matches!(error, Error::NotConfidential(_)), "{error}");
    assert!(layer("http://127.0.0.1:8080").is_ok());
}

#[tokio::test]
async fn a_call_without_a_token_is_not_made() {
    let (source, layer) = layer_of(Counting::default(), "https://worker.example").unwrap();
    source.broken.store(true, Ordering::SeqCst);
    let never = service_fn(async |_: Request<()>| -> Result<Response<()>, Infallible> {
        panic!("a call went out without a token")
    });
    let call = layer.layer(never).oneshot(Request::new(()));
    let error = call.await.unwrap_err();
    assert!(error.downcast_ref::<Error>().unwrap().is_transient());
}

#[tokio::test]
async fn a_refused_token_is_given_up_so_that_the_next_call_carries_another() {
    for (status, grpc) in [(401, None), (200, Some("16"))] {
        let (source, layer) = layer_of(Counting::default(), "https://worker.example").unwrap();
        let mut service = layer.layer(service_fn(async |_: Request<()>| {
            let mut response = Response::builder().status(status);
            if let Some(code) = grpc {
                response = response.header("grpc-status", code);
            }
            Ok::<_, Infallible>(response.body(()).unwrap())
        }));
        let mut tokens = Vec::new();
        for _ in 0..3 {
            let attached = Attached::default();
            let mut request = Request::new(());
            request.extensions_mut().insert(attached.clone());
            service.ready().await.unwrap().call(request).await.unwrap();
            tokens.push(attached.token().unwrap().secret().to_owned());
        }
        assert_ne!(tokens[0], tokens[1]);
        assert_eq!(tokens[1], tokens[2], "a refusal is no reason for a fetch a call");
        assert_eq!(source.fetched(), 2);
    }
}

#[tokio::test]
async fn what_is_no_refusal_of_the_token_keeps_it() {
    for (status, grpc) in [(403, "7"), (200, "0"), (500, "13"), (404, "12")] {
        let (source, layer) = layer_of(Counting::default(), "https://worker.example").unwrap();
        let mut service = layer.layer(service_fn(async |_: Request<()>| {
            let response = Response::builder().status(status);
            Ok::<_, Infallible>(response.header("grpc-status", grpc).body(()).unwrap())
        }));
        for _ in 0..2 {
            let ready = service.ready().await.unwrap();
            ready.call(Request::new(())).await.unwrap();
        }
        assert_eq!(source.fetched(), 1);
    }
}

#[tokio::test]
async fn another_http_client_works_within_it_too() {
    let router = Router::new().route(
        "/",
        axum::routing::post(|headers: HeaderMap, body: String| async move {
            assert_eq!(headers[AUTHORIZATION], headers[SERVERLESS]);
            assert_eq!(body, "hello");
        }),
    );
    let url = format!("http://{}", serving(router).await);
    let client = reqwest::Client::new();
    let service = service_fn(move |request: Request<&'static str>| {
        let client = client.clone();
        async move {
            let response = client.execute(request.try_into()?).await;
            response.map(Response::<reqwest::Body>::from)
        }
    });
    let request = Request::post(&url).body("hello").unwrap();
    let service = layer(&url).unwrap().layer(service);
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

/// Streams three events to a caller with a token in both headers.
#[derive(Debug)]
struct Streaming;

#[tonic::async_trait]
impl PollerService for Streaming {
    type PollStream = tokio_stream::Iter<std::vec::IntoIter<Result<PollResponse, Status>>>;

    async fn poll(
        &self,
        request: tonic::Request<PollRequest>,
    ) -> Result<tonic::Response<Self::PollStream>, Status> {
        let bearer = |name| request.metadata().get(name).cloned();
        if bearer("authorization").is_none() || bearer("authorization") != bearer(SERVERLESS) {
            return Err(Status::unauthenticated("no token"));
        }
        let events = vec![Ok(PollResponse::default()); 3];
        Ok(tonic::Response::new(tokio_stream::iter(events)))
    }
}

#[tokio::test]
async fn a_tonic_channel_carries_it_on_streaming_calls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(
        Server::builder()
            .add_service(PollerServiceServer::new(Streaming))
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );
    let channel = Channel::from_shared(url.clone()).unwrap().connect_lazy();
    let mut bare = PollerServiceClient::new(channel.clone());
    let status = bare.poll(PollRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unauthenticated);

    let mut client = PollerServiceClient::new(layer(&url).unwrap().layer(channel));
    for _ in 0..2 {
        let events = client.poll(PollRequest::default()).await.unwrap();
        assert_eq!(events.into_inner().collect::<Vec<_>>().await.len(), 3);
    }
}
