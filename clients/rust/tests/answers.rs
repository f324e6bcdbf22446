//! Who returned an answer, against a raw HTTP/2 server: only what it sends varies. Beside each row stands the status
//! that tonic makes of it, since nothing above the transport could tell them apart.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod raw;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use brigade_client::{
    Retry, WorkerClient,
    answer::{Answer, TransportError, WorkerAnswer},
};
use brigade_proto::v1::{
    Object, ProcessRequest, ProcessResponse, worker_service_client::WorkerServiceClient,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::{Code, transport::Channel};
use tonic_types::{ErrorDetails, StatusExt as _};
use url::Url;

use self::raw::{EMPTY, GRPC, PATIENCE, Respond, head, page, server, streamed, trailers_only};

async fn asked(url: &Url) -> Answer {
    let client = WorkerClient::new(url, None, None).unwrap();
    client.process(ProcessRequest::default(), PATIENCE).await
}

/// What plain tonic makes of the same server.
async fn made_up(url: &Url) -> Code {
    let channel = Channel::from_shared(url.to_string()).unwrap().connect_lazy();
    let answer = WorkerServiceClient::new(channel).process(ProcessRequest::default()).await;
    answer.map_or_else(|status| status.code(), |_| Code::Ok)
}

/// The worker's own answer.
fn own(answer: &Answer) -> &WorkerAnswer {
    match answer {
        Answer::Worker(answer) => answer,
        _ => panic!("{answer:?} is not taken for the worker's"),
    }
}

/// A listener, and its address.
async fn listen() -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url.parse().unwrap())
}

fn http_error(status: u16, retry_after: Option<u64>) -> Answer {
    Answer::Transport(TransportError::Http {
        status,
        retry_after: retry_after.map(Duration::from_secs),
    })
}

/// It depends on the moment whether the request was written before the connection ended.
fn is_broken(answer: &Answer) -> bool {
    use TransportError::{Connect, NotSent, Reset};
    matches!(answer, Answer::Transport(Reset(_) | NotSent(_) | Connect(_)))
}

fn is_cut_short(answer: &Answer) -> bool {
    matches!(answer, Answer::Transport(TransportError::CutShort(_)))
}

#[tokio::test]
async fn every_status_in_trailers_is_the_workers_own() {
    for number in 1..=16 {
        let status: &'static str = number.to_string().leak();
        let url = server(trailers_only(status)).await;
        assert_eq!(own(&asked(&url).await).code, Code::from_i32(number));
    }
    for (status, code, message) in [("3", Code::InvalidArgument, "said so"), ("0", Code::Ok, "")] {
        let answer = asked(&server(streamed(EMPTY, status)).await).await;
        let answer = own(&answer);
        assert_eq!((answer.code, answer.message.as_str()), (code, message));
    }
}

#[tokio::test]
async fn ok_without_a_readable_message_is_not() {
    let garbage: &'static [u8] = &[0, 0, 0, 0, 3, 0xff, 0xff, 0xff];
    for url in [
        server(streamed(b"", "0")).await,
        server(trailers_only("0")).await,
        server(streamed(garbage, "0")).await,
    ] {
        assert!(is_cut_short(&asked(&url).await));
    }
}

/// `ProcessResponse` with this many outputs, as a worker in any language encodes it, and its status.
fn outputs(count: usize) -> impl Fn(Respond) + Clone {
    let response = ProcessResponse {
        outputs: (0..count)
            .map(|number| format!("gs://data/features/incoming/subject-308.csv/{number:>026}"))
            .collect(),
        ..ProcessResponse::default()
    };
    let encoded = response.encode_to_vec();
    let mut message = vec![0];
    message.extend_from_slice(&u32::try_from(encoded.len()).unwrap().to_be_bytes());
    message.extend(encoded);
    move |mut respond| {
        let mut body = respond.send_response(head(200, &[GRPC]), false).unwrap();
        body.send_data(message.clone().into(), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        body.send_trailers(trailers).unwrap();
    }
}

#[tokio::test]
async fn an_answer_over_the_limit_is_neither_the_workers_own_nor_a_transport_error() {
    let answer = asked(&server(outputs(800)).await).await;
    assert_eq!(own(&answer).response.outputs.len(), 800);

    let client = WorkerClient::new(&server(outputs(1_000)).await, None, None)
        .unwrap()
        .with_retry(Retry::default());
    let object = Object {
        bucket: "data".into(),
        name: "incoming/a".into(),
        generation: 7,
        ..Object::default()
    };
    let request = ProcessRequest { object: Some(object), ..ProcessRequest::default() };
    let answer = client.process(request, PATIENCE).await;
    let Answer::TooLarge { key, found } = &answer else {
        panic!("{answer:?}");
    };
    assert_eq!(key, "data/incoming/a#7");
    assert!(found.contains("65536"), "{found}");
    assert_eq!(answer.into_result().unwrap_err().code(), Code::OutOfRange);
}

#[tokio::test]
async fn a_status_that_is_none_is_not_the_workers() {
    for status in ["abc", "99", "-1", ""] {
        let answer = asked(&server(trailers_only(status)).await).await;
        assert!(is_cut_short(&answer), "{status:?}: {answer:?}");
    }
}

#[tokio::test]
async fn two_hundred_without_a_status_is_cut_short_and_tonic_makes_it_unknown() {
    let url = server(|mut respond: Respond| {
        respond.send_response(head(200, &[GRPC]), true).unwrap();
    })
    .await;
    assert!(is_cut_short(&asked(&url).await));
    assert_eq!(made_up(&url).await, Code::Unknown);

    let with_message = server(|mut respond: Respond| {
        let mut body = respond.send_response(head(200, &[GRPC]), false).unwrap();
        body.send_data(Bytes::from_static(EMPTY), true).unwrap();
    })
    .await;
    assert!(is_cut_short(&asked(&with_message).await));
}

#[tokio::test]
async fn a_page_is_a_transport_error_whatever_tonic_makes_of_it() {
    for (status, tonics) in [
        (500, Code::Unknown),
        (400, Code::Internal),
        (404, Code::Unimplemented),
        (401, Code::Unauthenticated),
        (403, Code::PermissionDenied),
        (429, Code::Unavailable),
        (502, Code::Unavailable),
        (503, Code::Unavailable),
        (504, Code::Unavailable),
        (302, Code::Unknown),
    ] {
        let expected = http_error(status, None);
        let answer = asked(&server(page(status, &[])).await).await;
        assert_eq!(answer, expected, "{status} with a page");
        let empty = server(move |mut respond: Respond| {
            respond.send_response(head(status, &[("content-type", "text/html")]), true).unwrap();
        })
        .await;
        assert_eq!(asked(&empty).await, expected, "{status} without one");
        assert_eq!(made_up(&empty).await, tonics, "{status}");
    }
}

#[tokio::test]
async fn a_status_beside_an_http_error_is_not_the_workers() {
    let url = server(|mut respond: Respond| {
        respond.send_response(head(503, &[GRPC, ("grpc-status", "3")]), true).unwrap();
    })
    .await;
    assert_eq!(asked(&url).await, http_error(503, None));
}

#[tokio::test]
async fn retry_after_in_seconds_is_kept() {
    let url = server(page(503, &[("retry-after", "7")])).await;
    assert_eq!(asked(&url).await, http_error(503, Some(7)));
    let date = &[("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")];
    let dated = server(page(503, date)).await;
    assert_eq!(asked(&dated).await, http_error(503, None));
}

#[tokio::test]
async fn a_reset_before_any_answer_is_a_transport_error() {
    let url = server(|mut respond: Respond| respond.send_reset(h2::Reason::INTERNAL_ERROR)).await;
    let answer = asked(&url).await;
    assert!(matches!(answer, Answer::Transport(TransportError::Reset(_))), "{answer:?}");
    assert_eq!(made_up(&url).await, Code::Internal);
}

#[tokio::test]
async fn a_stream_cut_after_headers_or_after_its_message_is_cut_short() {
    for message in [&b""[..], EMPTY] {
        let url = server(move |mut respond: Respond| {
            let mut body = respond.send_response(head(200, &[GRPC]), false).unwrap();
            if !message.is_empty() {
                body.send_data(Bytes::copy_from_slice(message), false).unwrap();
            }
            body.send_reset(h2::Reason::CANCEL);
        })
        .await;
        // The reset may overtake the headers, and then there never was a response.
        let answer = asked(&url).await;
        assert!(
            matches!(
                answer,
                Answer::Transport(TransportError::CutShort(_) | TransportError::Reset(_))
            ),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_in_the_middle_is_a_transport_error() {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                // The request arrives, and then the whole process is gone.
                let _ = connection.accept().await;
            });
        }
    });
    let answer = asked(&url).await;
    assert!(matches!(answer, Answer::Transport(TransportError::Reset(_))), "{answer:?}");
}

#[tokio::test]
async fn a_connection_that_is_refused_says_so() {
    let (listener, url) = listen().await;
    drop(listener);
    let answer = asked(&url).await;
    let Answer::Transport(TransportError::Connect(why)) = &answer else { panic!("{answer:?}") };
    assert!(why.contains("refused"), "{why}");
    assert_eq!(made_up(&url).await, Code::Unavailable);
}

#[tokio::test]
async fn a_server_that_speaks_http_1_alone_is_a_transport_error() {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ =
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        }
    });
    let answer = asked(&url).await;
    assert!(is_broken(&answer), "{answer:?}");
}

#[tokio::test]
async fn our_own_timer_ends_a_call_that_is_never_answered() {
    let url = server(|respond: Respond| std::mem::forget(respond)).await;
    let client = WorkerClient::new(&url, None, None).unwrap();
    let budget = Duration::from_millis(100);
    assert_eq!(client.process(ProcessRequest::default(), budget).await, Answer::TimedOut(budget));
}

#[tokio::test]
async fn the_worker_is_told_its_deadline() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, respond))) = connection.accept().await {
            let _ = tell.send(request.headers().get("grpc-timeout").cloned());
            trailers_only("3")(respond);
        }
    });
    asked(&url).await;
    assert!(told.recv().await.unwrap().is_some());
}

/// A server whose status has these details.
async fn detailed(code: Code, details: ErrorDetails) -> Url {
    let status = tonic::Status::with_error_details(code, "later", details);
    let headers = status.into_http::<()>().headers().clone();
    server(move |mut respond: Respond| {
        let mut response = head(200, &[]);
        *response.headers_mut() = headers.clone();
        respond.send_response(response, true).unwrap();
    })
    .await
}

#[tokio::test]
async fn retry_info_of_the_worker_is_honoured() {
    let details = ErrorDetails::with_retry_info(Some(Duration::from_secs(9)));
    let answer = asked(&detailed(Code::Unavailable, details).await).await;
    let (code, delay) = (own(&answer).code, own(&answer).retry_after);
    assert_eq!((code, delay), (Code::Unavailable, Some(Duration::from_secs(9))));
}

#[tokio::test]
async fn a_worker_whose_storage_fails_is_known_by_its_reason() {
    for (reason, domain, is_storage) in [
        ("STORAGE_UNAVAILABLE", "brigade.v1", true),
        ("STORAGE_UNAVAILABLE", "example.com", false),
        ("TRY_AGAIN", "brigade.v1", false),
    ] {
        let details = ErrorDetails::with_error_info(reason, domain, HashMap::new());
        let answer = asked(&detailed(Code::Unavailable, details).await).await;
        assert_eq!(own(&answer).is_storage, is_storage, "{reason} {domain}");
    }
}

/// Answers with this status and a message of `length` bytes as they travel, in headers or in trailers after a body.
fn with_long_message(trailers: bool, length: usize) -> impl Fn(Respond) + Clone {
    move |mut respond| {
        let mut fields = HeaderMap::new();
        fields.insert("grpc-status", HeaderValue::from_static("3"));
        // An emoji: four bytes, each percent-encoded.
        let words = "%F0%9F%98%80".repeat(length / 12);
        fields.insert("grpc-message", HeaderValue::from_str(&words).unwrap());
        let mut head = head(200, &[GRPC]);
        if trailers {
            let mut body = respond.send_response(head, false).unwrap();
            body.send_trailers(fields).unwrap();
        } else {
            head.headers_mut().extend(fields);
            respond.send_response(head, true).unwrap();
        }
    }
}

#[tokio::test]
async fn a_refusal_with_66_000_characters_is_the_workers_own_and_is_shortened() {
    for trailers in [true, false] {
        let answer = asked(&server(with_long_message(trailers, 66_000 * 12)).await).await;
        let answer = own(&answer);
        assert_eq!(answer.code, Code::InvalidArgument);
        assert!(answer.message.starts_with("😀😀") && answer.message.ends_with(" …"));
        assert!((2_040..=2_048).contains(&answer.message.len()), "{}", answer.message.len());
    }
}

#[tokio::test]
async fn a_message_over_the_header_limit_breaks_its_own_call_alone() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let url = server(move |respond| {
        let mut calls = calls.lock().unwrap();
        calls.push(respond);
        // Both calls are in flight on one connection.
        if calls.len() == 2 {
            trailers_only("5")(calls.remove(0));
            with_long_message(false, 1_100_000)(calls.remove(0));
        }
    })
    .await;
    let client = WorkerClient::new(&url, None, None).unwrap();
    let call = || client.process(ProcessRequest::default(), PATIENCE);
    let (one, two) = tokio::join!(call(), call());
    let broken = |answer: &Answer| matches!(answer, Answer::Transport(TransportError::Reset(_)));
    let (one, two) = if broken(&one) { (two, one) } else { (one, two) };
    assert_eq!(own(&one).code, Code::NotFound);
    assert!(broken(&two), "{two:?}");
}
