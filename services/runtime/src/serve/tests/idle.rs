//! A connection without a call ends, and one with a call does not.

use tokio::time::sleep;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::{
    pipe::{Piped, Server, stays, was_told},
    wire::{ACK, DATA, END_HEADERS, END_STREAM, GET, GOAWAY, HEADERS, PING, frame, literal},
    *,
};

const IDLE: Duration = Duration::from_secs(50);
/// How long a client may take to part.
const PARTING: Duration = Duration::from_secs(20);
/// A timer's own step, and then some.
const STEP: Duration = Duration::from_millis(10);

fn get_of(path: &str) -> Vec<u8> {
    let block = [&GET[..2], &literal(":path", path)].concat();
    frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)
}

fn about(time: Duration, wanted: Duration) -> bool {
    time >= wanted && time < wanted + STEP
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_call_is_closed_though_it_answers_every_ping() {
    let server = Server::new(hello(), Limits::default());
    let (peer, driven) = server.peer(&[]).await;
    let (frames, time) = stays(peer, true).await;
    assert!(about(time, IDLE), "{time:?}");
    assert!(was_told(&frames));
    assert!(frames.iter().any(|frame| frame.kind == PING), "it was asked");
    driven.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_part_is_left() {
    let server = Server::new(hello(), Limits::default());
    let (peer, driven) = server.peer(&[]).await;
    let (frames, time) = stays(peer, false).await;
    assert!(about(time, IDLE + PARTING), "{time:?}");
    assert!(was_told(&frames));
    driven.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_is_left() {
    let server = Server::new(hello(), Limits::default());
    let (mut peer, driven) = server.peer(&[]).await;
    let began = tokio::time::Instant::now();
    let flood = async { while peer.send(&frame(PING, 0, 0, &[7; 8])).await {} };
    tokio::join!(flood, async { driven.await.unwrap() });
    let time = began.elapsed();
    assert!(about(time, IDLE + PARTING), "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_whose_client_does_not_part_is_left() {
    let limits = Limits { age: Some(IDLE / 2), ..Limits::default() };
    let server = Server::new(hello(), limits);
    let (peer, _) = server.peer(&[]).await;
    let (_, time) = stays(peer, false).await;
    assert!(about(time, IDLE / 2 + PARTING), "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_worked_on_keeps_its_connection_however_long_it_is_silent() {
    let gate = Gate::default();
    let server = Server::new(gate.router(), Limits::default());
    let (mut peer, _) = server.peer(&[]).await;
    peer.send(&get_of("/wait")).await;
    let work = Duration::from_mins(50);
    let opened = async {
        sleep(work).await;
        gate.open.notify_one();
    };
    let ((frames, time), ()) = tokio::join!(stays(peer, true), opened);
    assert!(about(time, work + IDLE), "{time:?}");
    let done = frames.iter().find(|frame| frame.kind == DATA).unwrap();
    assert_eq!(done.payload, b"done");
}

/// The servers of other gRPC libraries close the connection of a client that pings more often than every 5 minutes.
#[tokio::test(start_paused = true)]
async fn a_client_may_ping_every_ten_seconds_with_a_call_and_without() {
    let gate = Gate::default();
    let server = Server::new(gate.router(), Limits::default());
    let (mut peer, _) = server.peer(&[]).await;
    peer.send(&get_of("/wait")).await;
    for _ in 0..60 {
        ping_after_ten_seconds(&mut peer).await;
    }
    gate.open.notify_one();
    while peer.next().await.unwrap().kind != DATA {}
    for _ in 0..4 {
        ping_after_ten_seconds(&mut peer).await;
    }
}

/// The answer comes, and no `GOAWAY`. The server's own pings are answered.
async fn ping_after_ten_seconds(peer: &mut Piped) {
    sleep(Duration::from_secs(10)).await;
    peer.send(&frame(PING, 0, 0, &[7; 8])).await;
    loop {
        let came = peer.next().await.unwrap();
        assert_ne!(came.kind, GOAWAY, "{:?}", came.payload);
        if came.kind == PING && came.flags == ACK {
            return assert_eq!(came.payload, [7; 8]);
        }
        if came.kind == PING {
            peer.send(&frame(PING, ACK, 0, &came.payload)).await;
        }
    }
}

/// A call that is at work when its connection is old has the time that it needs.
#[tokio::test(start_paused = true)]
async fn a_call_in_flight_outlives_the_age_of_its_connection() {
    let gate = Gate::default();
    let limits = Limits { age: Some(IDLE), ..Limits::default() };
    let server = Server::new(gate.router(), limits);
    let (mut peer, _) = server.peer(&[]).await;
    peer.send(&get_of("/wait")).await;
    let work = IDLE * 10;
    let opened = async {
        sleep(work).await;
        gate.open.notify_one();
    };
    let ((frames, time), ()) = tokio::join!(stays(peer, true), opened);
    assert!(about(time, work), "{time:?}");
    assert!(frames.iter().any(|frame| frame.payload == b"done"));
}

/// A poll says nothing while the worker works on its last object.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_still_made_keeps_its_connection() {
    let pause = Duration::from_mins(30);
    let events = async move || {
        let (sender, events) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            sender.send(Ok::<_, io::Error>("first, ")).await.unwrap();
            sleep(pause).await;
            sender.send(Ok("last")).await.unwrap();
        });
        Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(events)).into_response()
    };
    let server = Server::new(Router::new().route("/events", get(events)), Limits::default());
    let (mut peer, _) = server.peer(&[]).await;
    peer.send(&get_of("/events")).await;
    let (frames, time) = stays(peer, true).await;
    assert!(about(time, pause + IDLE), "{time:?}");
    let data = frames.iter().filter(|frame| frame.kind == DATA);
    let words: Vec<u8> = data.flat_map(|frame| frame.payload.clone()).collect();
    assert_eq!(words, b"first, last");
}

/// A window of nothing: `SETTINGS_INITIAL_WINDOW_SIZE`.
const CLOSED: [u8; 6] = [0, 4, 0, 0, 0, 0];

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_never_read_keeps_no_connection() {
    let server = Server::new(hello(), Limits::default());
    let (mut peer, _) = server.peer(&CLOSED).await;
    peer.send(&get_of("/health")).await;
    let (frames, time) = stays(peer, true).await;
    assert!(frames.iter().any(|frame| frame.kind == HEADERS));
    assert!(frames.iter().all(|frame| frame.kind != DATA));
    assert!(about(time, IDLE + PARTING), "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_that_is_never_read_takes_nobodys_place() {
    let limits = Limits { calls: 1, ..Limits::default() };
    let server = Server::new(hello(), limits);
    let (mut peer, _) = server.peer(&CLOSED).await;
    peer.send(&get_of("/")).await;
    while peer.next().await.unwrap().kind != HEADERS {}
    let answer = pipe::call(&server.channel(), "/", false, Body::empty()).await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

/// Just before the goodbye, just after it, and long after it. In the very same moment hyper's client gives up a call that it
/// has not sent yet; our own clients send it again.
#[tokio::test(start_paused = true)]
async fn a_client_of_ours_takes_the_goodbye_without_a_failed_call() {
    let health = crate::health::routes("").await;
    let server = Server::new(health.open, Limits::default());
    let mut client = HealthClient::new(server.channel());
    client.check(HealthCheckRequest::default()).await.unwrap();
    for (pause, opened) in [(49_999, 1), (49_999, 1), (50_001, 2), (50_001, 3), (600_000, 4)] {
        sleep(Duration::from_millis(pause)).await;
        client.check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(server.opened(), opened);
    }
}
