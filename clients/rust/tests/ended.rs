//! Calls that a server did not take, and calls that it ended: single HTTP/2 frames, since hyper hides their reasons.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "raw/frames.rs"]
mod frames;
mod raw;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use brigade_client::{
    WorkerClient,
    answer::{Answer, TransportError},
};
use brigade_proto::v1::ProcessRequest;
use h2::Reason;
use http::{HeaderMap, HeaderValue};
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;
use url::Url;

use self::{
    frames::Frames,
    raw::{GRPC, PATIENCE, Respond, head, server},
};

/// What the server does with each call in turn; the last one for all that follow.
#[derive(Clone, Copy, Debug)]
enum Step {
    Refuse,
    Reset(Reason),
    /// A GOAWAY that excludes the call, and then the end of the connection.
    GoAwayBefore(Reason, &'static str),
    /// A GOAWAY that includes it, and then the end of the connection.
    GoAwayAfter(Reason),
    Answer,
}

/// Counts the calls that arrive, over all connections.
async fn serve(steps: &'static [Step]) -> (Url, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, steps, counter.clone()));
        }
    });
    (url, calls)
}

async fn connection(stream: TcpStream, steps: &'static [Step], calls: Arc<AtomicUsize>) {
    let mut frames = Frames::accept(stream).await;
    while let Some(stream) = frames.request().await {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        match steps[call.min(steps.len() - 1)] {
            Step::Refuse => frames.reset(stream, Reason::REFUSED_STREAM.into()).await,
            Step::Reset(reason) => frames.reset(stream, reason.into()).await,
            Step::GoAwayBefore(reason, debug) => {
                return frames.go_away(stream - 1, reason.into(), debug).await;
            }
            Step::GoAwayAfter(reason) => return frames.go_away(stream, reason.into(), "").await,
            Step::Answer => frames.status(stream, "3").await,
        }
    }
}

/// The answer to one call without retries, and how many calls arrived.
async fn asked(steps: &'static [Step]) -> (Answer, usize) {
    let (url, calls) = serve(steps).await;
    let client = WorkerClient::new(&url, None, None).unwrap();
    let answer = client.process(ProcessRequest::default(), PATIENCE).await;
    (answer, calls.load(Ordering::SeqCst))
}

fn is_own(answer: &Answer) -> bool {
    matches!(answer, Answer::Worker(answer) if answer.code == Code::InvalidArgument)
}

fn is_not_sent(answer: &Answer) -> bool {
    matches!(answer, Answer::Transport(TransportError::NotSent(_)))
}

fn is_reset(answer: &Answer) -> bool {
    matches!(answer, Answer::Transport(TransportError::Reset(_)))
}

fn is_ended(answer: &Answer) -> bool {
    matches!(answer, Answer::Transport(TransportError::Ended(_)))
}

#[tokio::test]
async fn a_call_that_the_server_did_not_take_is_repeated_once_at_once() {
    for first in [
        &[Step::Refuse, Step::Answer],
        &[Step::GoAwayBefore(Reason::NO_ERROR, ""), Step::Answer],
        &[Step::GoAwayBefore(Reason::INTERNAL_ERROR, "stop"), Step::Answer],
    ] {
        let (answer, calls) = asked(first).await;
        assert!(is_own(&answer), "{first:?}: {answer:?}");
        assert_eq!(calls, 2, "{first:?}");
    }
    for always in [&[Step::Refuse], &[Step::GoAwayBefore(Reason::NO_ERROR, "")]] {
        let (answer, calls) = asked(always).await;
        assert!(is_not_sent(&answer), "{always:?}: {answer:?}");
        assert_eq!(calls, 2, "{always:?}");
    }
}

#[tokio::test]
async fn a_call_that_the_server_may_have_taken_is_a_reset_and_is_not_repeated() {
    for step in [
        &[Step::Reset(Reason::INTERNAL_ERROR)],
        &[Step::Reset(Reason::NO_ERROR)],
        &[Step::Reset(Reason::CANCEL)],
        &[Step::GoAwayAfter(Reason::NO_ERROR)],
        // hyper tells the call nothing of this reason.
        &[Step::GoAwayAfter(Reason::ENHANCE_YOUR_CALM)],
    ] {
        let (answer, calls) = asked(step).await;
        assert!(is_reset(&answer), "{step:?}: {answer:?}");
        assert_eq!(calls, 1, "{step:?}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_calm_has_ended_the_call() {
    for step in [
        &[Step::Reset(Reason::ENHANCE_YOUR_CALM)],
        &[Step::GoAwayBefore(Reason::ENHANCE_YOUR_CALM, "too_many_pings")],
    ] {
        let (answer, calls) = asked(step).await;
        assert!(is_ended(&answer), "{step:?}: {answer:?}");
        assert_eq!(calls, 1, "{step:?}");
    }
}

/// Allows one stream at a time: while the first call is open, others wait inside the client. Then the process is gone, and the
/// next connection answers.
async fn one_at_a_time(listener: TcpListener) {
    const MAX_CONCURRENT_STREAMS_1: [u8; 6] = [0, 3, 0, 0, 0, 1];
    let (stream, _) = listener.accept().await.unwrap();
    let mut frames = Frames::accept(stream).await;
    frames.send(frames::SETTINGS, 0, 0, &MAX_CONCURRENT_STREAMS_1).await;
    let first = frames.request().await.unwrap();
    frames.status(first, "3").await;
    frames.request().await.unwrap();
    // Time for the other calls to get into the queue. Without it they find the next connection, with the same result.
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(frames);
    let (stream, _) = listener.accept().await.unwrap();
    connection(stream, &[Step::Answer], Arc::default()).await;
}

#[tokio::test]
async fn a_call_that_waits_inside_the_client_when_the_connection_ends_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(one_at_a_time(listener));
    let client = WorkerClient::new(&url, None, None).unwrap();
    let call = || client.process(ProcessRequest::default(), PATIENCE);
    assert!(is_own(&call().await));
    let answers: [Answer; 4] = tokio::join!(call(), call(), call(), call()).into();
    let count = |is: fn(&Answer) -> bool| answers.iter().filter(|answer| is(answer)).count();
    assert_eq!((count(is_reset), count(is_own)), (1, 3), "{answers:?}");
}

/// A call that begins when the connection has just ended waits in the client's queue, or finds the connection closed.
#[tokio::test]
async fn a_call_on_a_connection_that_has_just_ended_reaches_the_next_one() {
    for _ in 0..20 {
        let (url, _) = serve(&[Step::GoAwayAfter(Reason::NO_ERROR), Step::Answer]).await;
        let client = WorkerClient::new(&url, None, None).unwrap();
        let first = client.process(ProcessRequest::default(), PATIENCE).await;
        assert!(is_reset(&first), "{first:?}");
        let second = client.process(ProcessRequest::default(), PATIENCE).await;
        assert!(is_own(&second), "{second:?}");
    }
}

/// Trailers alone, with this status and message.
fn says(status: &'static str, message: &'static str) -> impl Fn(Respond) + Clone {
    move |mut respond| {
        let mut fields = HeaderMap::new();
        fields.insert("grpc-status", HeaderValue::from_static(status));
        fields.insert("grpc-message", HeaderValue::from_static(message));
        let mut head = head(200, &[GRPC]);
        head.headers_mut().extend(fields);
        respond.send_response(head, true).unwrap();
    }
}

async fn said(status: &'static str, message: &'static str) -> Answer {
    let url = server(says(status, message)).await;
    let client = WorkerClient::new(&url, None, None).unwrap();
    client.process(ProcessRequest::default(), PATIENCE).await
}

#[tokio::test]
async fn a_status_with_a_text_of_the_servers_grpc_library_is_not_the_workers_own() {
    for (status, message) in [
        ("14", "Too many pings"),
        ("14", "Cancelling all calls"),
        ("1", "Cancelling all calls"),
        ("14", "max connection age"),
        ("14", "Server shutdownNow invoked"),
    ] {
        let answer = said(status, message).await;
        assert_eq!(answer, Answer::Transport(TransportError::Ended(message.into())));
    }
    for (status, message) in [
        ("14", "the model is loading"),
        ("14", "the database says: Cancelling all calls"),
        ("13", "Too many pings"),
        ("3", "Cancelling all calls"),
        ("1", ""),
    ] {
        let answer = said(status, message).await;
        assert!(matches!(answer, Answer::Worker(_)), "{status} {message}: {answer:?}");
    }
}
