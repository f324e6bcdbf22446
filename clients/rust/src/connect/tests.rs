//! When a connection is pinged: over a pipe in memory, in virtual time.

#[path = "../../tests/raw/frames.rs"]
mod frames;

use std::{
    io,
    sync::{Arc, Mutex},
};

use brigade_proto::v1::{ProcessRequest, worker_service_client::WorkerServiceClient};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{DuplexStream, duplex},
    time::{Instant, sleep, timeout_at},
};
use tonic::{Code, transport::Channel};
use tower::service_fn;

use self::frames::{Frames, PING};
use super::*;

const LONG_CALL: Duration = Duration::from_mins(30);

/// Answers the first call at once and the second one after [`LONG_CALL`], and notes when each PING arrives.
async fn serve(io: DuplexStream, pings: Arc<Mutex<Vec<Instant>>>) {
    let mut frames = Frames::accept(io).await;
    let first = frames.request().await.unwrap();
    frames.status(first, "3").await;
    let mut second = None;
    let mut end = Instant::now() + LONG_CALL * 1000;
    while let Ok(frame) = timeout_at(end, frames.next()).await {
        let frame = frame.unwrap();
        if frame.kind == PING && frame.flags == 0 {
            pings.lock().unwrap().push(Instant::now());
        } else if frame.stream > first && frame.flags & frames::END_STREAM != 0 {
            second = Some(frame.stream);
            end = Instant::now() + LONG_CALL;
        }
    }
    frames.status(second.unwrap(), "3").await;
    while frames.next().await.is_some() {}
}

/// A client of one connection, and the other end of that.
fn client() -> (WorkerServiceClient<Channel>, DuplexStream) {
    let (near, far) = duplex(64 * 1024);
    let near = Mutex::new(Some(near));
    let connect = service_fn(move |_| {
        let io = near.lock().unwrap().take();
        async move { io.map(TokioIo::new).ok_or_else(|| io::Error::other("one connection only")) }
    });
    let url = Url::parse("http://127.0.0.1:1").unwrap();
    let channel = endpoint(&url).unwrap().connect_with_connector_lazy(connect);
    (WorkerServiceClient::new(channel), far)
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_pinged_during_long_calls_alone_and_no_oftener_than_grpc_servers_allow() {
    let (mut client, far) = client();
    let pings = Arc::new(Mutex::new(Vec::new()));
    tokio::spawn(serve(far, pings.clone()));
    let mut call = async || client.process(ProcessRequest::default()).await.unwrap_err().code();

    assert_eq!(call().await, Code::InvalidArgument);
    sleep(LONG_CALL).await;
    assert_eq!(pings.lock().unwrap().len(), 0, "while idle");
    assert_eq!(call().await, Code::InvalidArgument);
    let seen = pings.lock().unwrap().clone();
    // hyper sends one when a call begins on a connection that was idle for longer than the interval.
    assert!((5..=6).contains(&seen.len()), "{seen:?}");
    let shortest = seen.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
    assert!(shortest >= KEEPALIVE_INTERVAL, "{shortest:?}");
    sleep(LONG_CALL).await;
    assert_eq!(pings.lock().unwrap().len(), seen.len(), "idle again");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_gone_is_noticed_during_a_call() {
    let (mut client, far) = client();
    tokio::spawn(async move {
        let mut frames = Frames::accept(far).await;
        frames.request().await.unwrap();
        // It neither reads nor closes.
        std::future::pending::<()>().await;
    });
    let begin = Instant::now();
    client.process(ProcessRequest::default()).await.unwrap_err();
    let noticed = begin.elapsed().as_secs();
    let limit = (KEEPALIVE_INTERVAL + KEEPALIVE_TIMEOUT).as_secs();
    assert!((limit..=limit + 1).contains(&noticed), "{noticed} s");
}
