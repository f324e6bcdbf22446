//! Bodies that arrive after the answer. Time is paused: it passes while nothing else can happen.

use axum::{body::Bytes, routing::post};
use tower_http::limit::RequestBodyLimitLayer;

use super::{
    pipe::{Piped, Server},
    wire::{
        DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, WINDOW_UPDATE, frame,
        literal,
    },
    *,
};

const BODY: usize = 20_000;
/// Calls whose answers come before their bodies, at once on one connection.
const AT_ONCE: u32 = 90;

/// One connection with a call in flight that ends when it is told to.
struct Shared {
    peer: Piped,
    gate: Gate,
    streams: std::ops::RangeFrom<u32>,
    window: usize,
}

// === impl Shared ===

impl Shared {
    /// The path answers 401 without a look at its body, as the guard does.
    async fn start(limits: Limits) -> Self {
        let gate = Gate::default();
        let limited = Router::new()
            .route("/limited", post(async |_: Bytes| "read"))
            .layer(RequestBodyLimitLayer::new(1_000));
        let refused = Router::new().route("/refused", post(async || StatusCode::UNAUTHORIZED));
        let server = Server::new(gate.router().merge(limited).merge(refused), limits);
        let (mut peer, _) = server.peer(&[]).await;
        let good = [&[0x82, 0x86][..], &literal(":path", "/wait")].concat();
        peer.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &good)).await;
        gate.called.notified().await;
        Self { peer, gate, streams: 1.., window: 65_535 }
    }

    /// Calls that are answered before their bodies are sent, which the client sends all the same.
    async fn answered_early(&mut self, path: &str, length: &str) {
        // Over HTTP/2 no `100 Continue` is sent, so no body waits for it.
        let expect = if path == "/refused" { "100-continue" } else { "x" };
        let fields = [("content-length", length), ("expect", expect)];
        let fields = fields.map(|(name, value)| literal(name, value)).concat();
        let fields = [literal(":path", path), fields].concat();
        let block = [&[0x83, 0x86][..], &fields].concat();
        let calls: Vec<u32> = self.streams.by_ref().take(AT_ONCE as usize).collect();
        let calls: Vec<u32> = calls.iter().map(|number| number * 2 + 1).collect();
        for stream in &calls {
            self.peer.send(&frame(HEADERS, END_HEADERS, *stream, &block)).await;
        }
        let mut answered = 0;
        while answered < calls.len() {
            answered += usize::from(self.read().await == HEADERS);
        }
        for stream in calls {
            while self.window < BODY {
                self.read().await;
            }
            self.window -= BODY;
            let (first, rest) = (vec![7; 16_000], vec![7; BODY - 16_000]);
            self.peer.send(&frame(DATA, 0, stream, &first)).await;
            self.peer.send(&frame(DATA, END_STREAM, stream, &rest)).await;
        }
    }

    /// The type of the next frame.
    async fn read(&mut self) -> u8 {
        let came = self.peer.next().await.expect("the connection is open");
        assert_ne!(came.kind, GOAWAY, "{came:?}");
        if came.kind == RST_STREAM {
            assert_eq!(came.code(), Some(0), "{came:?}");
        }
        if came.kind == WINDOW_UPDATE && came.stream == 0 {
            let more = u32::from_be_bytes(came.payload[..4].try_into().unwrap());
            self.window += more as usize;
        }
        came.kind
    }

    /// The call that was in flight all the time.
    async fn good_call_ends(mut self) {
        // The answer to a ping comes after all else.
        self.peer.send(&frame(PING, 0, 0, &[7; 8])).await;
        while self.read().await != PING {}
        assert_eq!(self.gate.dropped.load(Ordering::SeqCst), 0);
        self.gate.open.notify_one();
        while self.peer.next().await.expect("an answer").payload != b"done" {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_call_survives_3000_refused_ones_with_20_kb_on_its_connection() {
    let mut shared = Shared::start(Limits::default()).await;
    for _ in 0..3_000_u32.div_ceil(AT_ONCE) {
        shared.answered_early("/refused", "20000").await;
    }
    shared.good_call_ends().await;
}

/// Whatever answers first: a limit of a body, a path that there is not, health, a method.
#[tokio::test(start_paused = true)]
async fn a_good_call_survives_every_other_answer_that_comes_before_the_body() {
    let mut shared = Shared::start(Limits::default()).await;
    for path in ["/limited", "/nothing", "/healthz", "/wait"] {
        for _ in 0..3 {
            shared.answered_early(path, "20000").await;
        }
    }
    shared.good_call_ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_good_call_survives_calls_over_the_limit() {
    let mut shared = Shared::start(Limits { calls: 1, ..Limits::default() }).await;
    for _ in 0..10 {
        shared.answered_early("/refused", "20000").await;
    }
    shared.good_call_ends().await;
}

/// A rest that does not come is waited for no longer than a second, and a long one is not read to its end.
#[tokio::test(start_paused = true)]
async fn a_rest_is_given_up_after_a_second_or_64_kib() {
    let mut shared = Shared::start(Limits::default()).await;
    let block = [&[0x83, 0x86][..], &literal(":path", "/refused")].concat();
    let began = tokio::time::Instant::now();
    shared.peer.send(&frame(HEADERS, END_HEADERS, 3, &block)).await;
    while shared.read().await != RST_STREAM {}
    assert_eq!(began.elapsed().as_secs(), 1);
    shared.peer.send(&frame(HEADERS, END_HEADERS, 5, &block)).await;
    for _ in 0..4 {
        shared.peer.send(&frame(DATA, 0, 5, &vec![7; 16_384])).await;
    }
    while shared.read().await != RST_STREAM {}
    assert_eq!(began.elapsed().as_secs(), 1);
    shared.good_call_ends().await;
}

/// The client waits for `100 Continue` before it sends its body, so none is under way, and none is asked for.
#[tokio::test(start_paused = true)]
async fn a_body_that_waits_for_leave_is_not_asked_for_after_a_refusal() {
    let refused = Router::new().route("/", post(async || StatusCode::UNAUTHORIZED));
    let (mut client, _) = Server::new(refused, Limits::default()).open();
    let head =
        b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 20000\r\n\r\n";
    client.write_all(head).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

/// Unread bytes in a socket that is closed would take the answer with them.
#[tokio::test(start_paused = true)]
async fn an_http_1_connection_goes_on_after_a_refusal_whose_body_comes_late() {
    let refused = Router::new().route("/", post(async || StatusCode::UNAUTHORIZED));
    let (mut client, _) = Server::new(refused, Limits::default()).open();
    for _ in 0..3 {
        client
            .write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 20000\r\n\r\n")
            .await
            .unwrap();
        let mut head = [0; 12];
        client.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 401");
        let mut rest = Vec::new();
        while !rest.ends_with(b"\r\n\r\n") {
            rest.push(client.read_u8().await.unwrap());
        }
        client.write_all(&vec![7; BODY]).await.unwrap();
    }
}
