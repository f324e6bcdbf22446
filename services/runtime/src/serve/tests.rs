//! Over real sockets, with clients that are not ours.

use std::{
    future::pending,
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::{body::Body, http::Version, response::IntoResponse as _, routing::get};
use reqwest::{Client, StatusCode};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::tcp::OwnedWriteHalf,
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::*;

/// Longer than anything here takes, so that a test that hangs fails.
const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl Running {
    async fn start(router: Router, limits: Limits) -> Self {
        let listener = bind(any_port()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let told = stop.clone().cancelled_owned();
        let served = tokio::spawn(serve(listener, router, limits, told));
        Self {
            address,
            stop,
            served,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn stopped(self) {
        timeout(PATIENCE, self.served)
            .await
            .expect("serve ends")
            .unwrap();
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn http1() -> Client {
    Client::builder()
        .no_proxy()
        .http1_only()
        .timeout(PATIENCE)
        .build()
        .unwrap()
}

fn http2() -> Client {
    Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .timeout(PATIENCE)
        .build()
        .unwrap()
}

fn hello() -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .merge(health())
}

fn health() -> Router {
    Router::new().route("/healthz", get(async || "ok\n"))
}

/// A handler that says when it was called, and answers when it is told to.
#[derive(Clone, Default)]
struct Gate {
    called: Arc<Notify>,
    open: Arc<Notify>,
    dropped: Arc<AtomicUsize>,
}

impl Gate {
    fn router(&self) -> Router {
        let gate = self.clone();
        let handler = move || {
            let gate = gate.clone();
            async move {
                let _counted = Counted(gate.dropped.clone());
                gate.called.notify_one();
                gate.open.notified().await;
                "done"
            }
        };
        Router::new().route("/wait", get(handler)).merge(hello())
    }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn http1_and_http2_are_served_on_one_port() {
    let server = Running::start(hello(), Limits::default()).await;
    for (client, version) in [(http1(), Version::HTTP_11), (http2(), Version::HTTP_2)] {
        let response = client.get(server.url("/")).send().await.unwrap();
        assert_eq!(response.version(), version);
        assert_eq!(response.text().await.unwrap(), "hello");
    }
}

#[tokio::test]
async fn a_call_in_flight_ends_after_the_shutdown_and_new_ones_are_refused() {
    for client in [http1(), http2()] {
        let gate = Gate::default();
        let server = Running::start(gate.router(), Limits::default()).await;
        let call = tokio::spawn(client.get(server.url("/wait")).send());
        gate.called.notified().await;

        server.stop.cancel();
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert!(
            !server.served.is_finished(),
            "the call in flight is waited for"
        );

        gate.open.notify_one();
        let response = call.await.unwrap().unwrap();
        assert_eq!(response.text().await.unwrap(), "done");
        server.stopped().await;
    }
}

#[tokio::test]
async fn what_is_in_flight_when_the_grace_ends_is_cut_off() {
    for client in [http1(), http2()] {
        let gate = Gate::default();
        let limits = Limits {
            grace: Duration::from_millis(50),
            ..Limits::default()
        };
        let server = Running::start(gate.router(), limits).await;
        let call = tokio::spawn(client.get(server.url("/wait")).send());
        gate.called.notified().await;

        server.stop.cancel();
        server.stopped().await;
        assert!(call.await.unwrap().is_err());
        // Over HTTP/2 the handler has a task of its own, which ends when it notices.
        timeout(PATIENCE, async {
            while gate.dropped.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the handler is not left behind");
    }
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_shutdown() {
    let server = Running::start(hello(), Limits::default()).await;
    let mut clients = Vec::new();
    for client in [http1(), http2()] {
        client
            .get(server.url("/"))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        clients.push(client);
    }
    let _silent = server.connect().await;
    server.stop.cancel();
    server.stopped().await;
}

#[tokio::test]
async fn headers_over_the_limit_are_refused() {
    let server = Running::start(hello(), Limits::default()).await;
    let long = "x".repeat(17 * 1024);
    let response = http1()
        .get(server.url("/"))
        .header("x-long", &long)
        .send()
        .await
        .unwrap();
    assert_eq!(
        response.status(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    );

    let answer = http2()
        .get(server.url("/"))
        .header("x-long", &long)
        .send()
        .await;
    let refused = answer.map_or(true, |response| {
        response.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    });
    assert!(refused);

    let nearly = "x".repeat(15 * 1024);
    let response = http2()
        .get(server.url("/"))
        .header("x-long", &nearly)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_handler_that_panics_answers_and_the_server_goes_on() {
    let router = hello().route("/panic", get(async || -> Body { panic!("secret words") }));
    let server = Running::start(router, Limits::default()).await;
    for client in [http1(), http2()] {
        let response = client.get(server.url("/panic")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!response.text().await.unwrap().contains("secret"));
        assert_eq!(
            client.get(server.url("/")).send().await.unwrap().status(),
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn a_grpc_handler_that_panics_answers_internal() {
    let router = Router::new().route("/panic", get(async || -> Body { panic!("secret words") }));
    let server = Running::start(router, Limits::default()).await;
    let call = http2()
        .get(server.url("/panic"))
        .header("content-type", "application/grpc");
    let response = call.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["grpc-status"], "13");
    assert!(
        !response.headers()["grpc-message"]
            .to_str()
            .unwrap()
            .contains("secret")
    );
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let limits = Limits {
        header_time: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = Running::start(hello(), limits).await;
    for first in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n",
    ] {
        let mut stream = server.connect().await;
        stream.write_all(first.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let closed = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "open after {first:?}");
    }
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_room() {
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let server = Running::start(hello(), limits).await;
    let first = server.connect().await;
    let waiting = tokio::spawn(http1().get(server.url("/")).send());
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    drop(first);
    assert_eq!(waiting.await.unwrap().unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn calls_over_the_limit_are_refused_at_once_and_health_is_not() {
    let gate = Gate::default();
    let limits = Limits {
        calls: 1,
        ..Limits::default()
    };
    let server = Running::start(gate.router(), limits).await;
    let call = tokio::spawn(http1().get(server.url("/wait")).send());
    gate.called.notified().await;

    let refused = http1().get(server.url("/")).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");
    let grpc = http2()
        .get(server.url("/"))
        .header("content-type", "application/grpc+proto");
    assert_eq!(grpc.send().await.unwrap().headers()["grpc-status"], "8");
    let health = http1().get(server.url("/healthz")).send().await.unwrap();
    assert_eq!(health.status(), StatusCode::OK);

    gate.open.notify_one();
    call.await.unwrap().unwrap().text().await.unwrap();
    timeout(PATIENCE, async {
        while http1().get(server.url("/")).send().await.unwrap().status() != StatusCode::OK {}
    })
    .await
    .expect("room is given back");
}

#[tokio::test]
async fn a_body_that_is_still_sent_counts_as_a_call() {
    let endless = async || {
        let frames = tokio_stream::StreamExt::chain(
            tokio_stream::once(Ok::<_, io::Error>("first")),
            tokio_stream::pending(),
        );
        Body::from_stream(frames).into_response()
    };
    let limits = Limits {
        calls: 1,
        ..Limits::default()
    };
    let server = Running::start(hello().route("/endless", get(endless)), limits).await;
    let mut streaming = http1().get(server.url("/endless")).send().await.unwrap();
    assert_eq!(streaming.chunk().await.unwrap().unwrap(), "first");
    let refused = http1().get(server.url("/")).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn an_old_connection_is_asked_to_end() {
    let limits = Limits {
        age: Some(Duration::from_millis(100)),
        ..Limits::default()
    };
    let server = Running::start(hello(), limits).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut text))
        .await
        .expect("closed by age")
        .unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
}

/// An HTTP/2 frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Opens a connection and says hello; the answers are read in the background and their types counted.
async fn raw_http2(server: &Running) -> (OwnedWriteHalf, JoinHandle<[usize; 256]>) {
    let (mut read, mut write) = server.connect().await.into_split();
    write
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    write.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    let counts = tokio::spawn(async move {
        let mut counts = [0; 256];
        let mut head = [0; 9];
        while read.read_exact(&mut head).await.is_ok() {
            counts[usize::from(head[3])] += 1;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            if read
                .read_exact(&mut vec![0; length as usize])
                .await
                .is_err()
            {
                break;
            }
        }
        counts
    });
    (write, counts)
}

/// Sends many of these and says how many frames of each type came back until the server closed the connection.
async fn flood(server: &Running, frames: impl Fn(u32) -> Vec<u8>) -> [usize; 256] {
    let (mut write, counts) = raw_http2(server).await;
    for number in 0..20_000 {
        if write.write_all(&frames(number * 2 + 1)).await.is_err() {
            break;
        }
    }
    let counts = timeout(PATIENCE, counts)
        .await
        .expect("the connection is closed");
    let response = http2().get(server.url("/healthz")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    counts.unwrap()
}

const RST_STREAM: u8 = 3;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM_AND_HEADERS: u8 = 5;
const END_HEADERS: u8 = 4;

/// `:method: GET`, `:scheme: http`, `:path: /`, of HPACK's static table.
const REQUEST: [u8; 3] = [0x82, 0x86, 0x84];

#[tokio::test]
async fn a_flood_of_malformed_streams_closes_the_connection() {
    let server = Running::start(hello(), Limits::default()).await;
    // `:path` alone is no request.
    let counts = flood(&server, |stream| {
        frame(HEADERS, END_STREAM_AND_HEADERS, stream, &[0x84])
    })
    .await;
    assert!(
        counts[usize::from(RST_STREAM)] <= 200,
        "{} resets",
        counts[usize::from(RST_STREAM)]
    );
}

#[tokio::test]
async fn a_flood_of_resets_closes_the_connection() {
    let forever = Router::new()
        .route("/", get(pending::<&str>))
        .merge(health());
    let server = Running::start(forever, Limits::default()).await;
    let counts = flood(&server, |stream| {
        let mut frames = frame(HEADERS, END_HEADERS, stream, &REQUEST);
        frames.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        frames
    });
    counts.await;
}

#[tokio::test]
async fn streams_over_the_limit_are_refused() {
    let gate = Gate::default();
    let server = Running::start(
        gate.router(),
        Limits {
            calls: 20_000,
            ..Limits::default()
        },
    )
    .await;
    let (mut write, counts) = raw_http2(&server).await;
    // Index 4 of the static table is `:path`; the value follows it as a literal.
    let request = [&[0x82, 0x86, 0x04, 5][..], b"/wait"].concat();
    for number in 0..150 {
        write
            .write_all(&frame(
                HEADERS,
                END_STREAM_AND_HEADERS,
                number * 2 + 1,
                &request,
            ))
            .await
            .unwrap();
    }
    // The answer to a ping comes after the answers to what was sent before it.
    write.write_all(&frame(6, 0, 0, &[0; 8])).await.unwrap();
    write.shutdown().await.unwrap();
    let counts = timeout(PATIENCE, counts)
        .await
        .expect("the connection is closed")
        .unwrap();
    assert!(
        counts[usize::from(RST_STREAM)] >= 50,
        "{} refused",
        counts[usize::from(RST_STREAM)]
    );
}

#[tokio::test]
async fn a_flood_of_continuations_closes_the_connection() {
    let server = Running::start(hello(), Limits::default()).await;
    let literal = [&[0x00, 1, b'x', 127, 0][..], &[b'y'; 127]].concat();
    flood(&server, |stream| {
        if stream == 1 {
            frame(HEADERS, 0, 1, &REQUEST)
        } else {
            frame(CONTINUATION, 0, 1, &literal)
        }
    })
    .await;
}

#[tokio::test]
async fn a_port_in_use_is_said_with_its_mend() {
    let first = bind(any_port()).await.unwrap();
    let address = first.local_addr().unwrap();
    let failure = bind(address).await.unwrap_err();
    assert_eq!(failure.exit, crate::exit::Exit::Unavailable);
    assert!(failure.message.contains(&address.to_string()), "{failure}");
    assert!(failure.mend.contains("--port"), "{failure}");
}

#[tokio::test]
async fn an_address_of_another_machine_is_said_with_its_mend() {
    // TEST-NET-1 (RFC 5737) is nobody's.
    let failure = bind("192.0.2.1:0".parse().unwrap()).await.unwrap_err();
    assert!(failure.mend.contains("--bind"), "{failure}");
}
