//! What a client asks again, and what it never does.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod raw;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use brigade_client::{InboxClient, PollerClient, Retry, WorkerClient, answer::Answer};
use brigade_proto::v1::{GetStatusRequest, PollRequest, PollResponse, ProcessRequest};
use tonic::Code;
use url::Url;

use self::raw::{EMPTY, PATIENCE, Respond, page, server, streamed, trailers_only};

type Step = Arc<dyn Fn(Respond) + Send + Sync>;

/// Serves the calls with these answers in turn, the last one for ever; and counts them.
async fn in_turn(steps: Vec<Step>) -> (Url, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let url = server(move |respond| {
        let call = counter.fetch_add(1, Ordering::SeqCst);
        steps[call.min(steps.len() - 1)](respond);
    });
    (url.await, calls)
}

const SOON: Retry =
    Retry { times: 5, first: Duration::from_millis(1), longest: Duration::from_millis(5) };

async fn asked_again(steps: Vec<Step>) -> (Answer, usize) {
    let (url, calls) = in_turn(steps).await;
    let client = WorkerClient::new(&url, None, None).unwrap().with_retry(SOON);
    let answer = client.process(ProcessRequest::default(), PATIENCE).await;
    (answer, calls.load(Ordering::SeqCst))
}

#[tokio::test]
async fn an_object_is_asked_about_again_until_the_worker_answers() {
    let (answer, calls) = asked_again(vec![
        Arc::new(page(503, &[])),
        Arc::new(trailers_only("14")),
        Arc::new(trailers_only("8")),
        Arc::new(streamed(EMPTY, "0")),
    ])
    .await;
    assert!(answer.into_result().is_ok());
    assert_eq!(calls, 4);
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_is_not_asked_again() {
    for status in ["3", "4", "7", "13"] {
        let (answer, calls) = asked_again(vec![Arc::new(trailers_only(status))]).await;
        let code = answer.into_result().unwrap_err().code() as i32;
        assert_eq!((code.to_string().as_str(), calls), (status, 1));
    }
    let (answer, calls) = asked_again(vec![Arc::new(page(404, &[]))]).await;
    assert_eq!(answer.into_result().unwrap_err().code(), Code::Unimplemented);
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn asking_ends_after_its_times_and_before_a_pause_that_is_longer_than_the_budget() {
    let (answer, calls) = asked_again(vec![Arc::new(page(502, &[]))]).await;
    assert_eq!(answer.into_result().unwrap_err().code(), Code::Unavailable);
    assert_eq!(calls, 1 + SOON.times);
    let an_hour = page(503, &[("retry-after", "3600")]);
    let (_, calls) = asked_again(vec![Arc::new(an_hour)]).await;
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn a_client_that_was_told_nothing_of_retries_asks_once() {
    let (url, calls) = in_turn(vec![Arc::new(page(503, &[]))]).await;
    let client = WorkerClient::new(&url, None, None).unwrap();
    let answer = client.process(ProcessRequest::default(), PATIENCE);
    assert_eq!(answer.await.into_result().unwrap_err().code(), Code::Unavailable);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

fn poller(url: &Url) -> PollerClient {
    PollerClient::new(url, None, None).unwrap().with_retry(SOON)
}

#[tokio::test]
async fn a_poll_is_begun_again_as_long_as_it_brought_no_event() {
    let (url, calls) = in_turn(vec![
        Arc::new(page(503, &[])),
        Arc::new(trailers_only("14")),
        Arc::new(streamed(EMPTY, "0")),
    ])
    .await;
    let mut events = poller(&url).poll(PollRequest::default()).await.unwrap();
    assert_eq!(events.message().await.unwrap(), Some(PollResponse::default()));
    assert_eq!(events.message().await.unwrap(), None);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_poll_that_brought_an_event_is_never_begun_again() {
    let (url, calls) = in_turn(vec![Arc::new(streamed(EMPTY, "14"))]).await;
    let mut events = poller(&url).poll(PollRequest::default()).await.unwrap();
    assert!(events.message().await.unwrap().is_some());
    assert_eq!(events.message().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_poll_that_is_refused_is_not_begun_again() {
    for status in ["3", "7", "9", "13"] {
        let (url, calls) = in_turn(vec![Arc::new(trailers_only(status))]).await;
        poller(&url).poll(PollRequest::default()).await.unwrap_err();
        assert_eq!(calls.load(Ordering::SeqCst), 1, "{status}");
    }
}

#[tokio::test]
async fn a_poll_that_does_not_end_is_ended_by_its_deadline() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let silent = move |respond| kept.lock().unwrap().push(respond);
    let (url, calls) = in_turn(vec![Arc::new(silent)]).await;
    let client = poller(&url).with_deadline(Duration::from_millis(50));
    let status = client.poll(PollRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

/// That it compiles is what it checks.
#[test]
fn a_task_can_make_every_call() {
    fn is_send<T: Send>(_: &T) {}
    let _ = |inbox: InboxClient, poller: PollerClient| {
        let calls = async move {
            let _ = (inbox.status(GetStatusRequest::default()).await, inbox.watch().await);
            poller.poll(PollRequest::default()).await
        };
        is_send(&calls);
    };
}
