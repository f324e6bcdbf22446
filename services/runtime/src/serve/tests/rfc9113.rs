//! HTTP/2 by its letter, in the manner of h2spec: what a client may not send, and how a server must end it.
//!
//! A connection error ends in `GOAWAY` or in a closed connection (RFC 9113, section 5.4.1), a stream error in `RST_STREAM`
//! (5.4.2) or as a connection error. h2 says `PROTOCOL_ERROR` where the RFC has a code of its own for a frame's size and for
//! the compression of headers: that the connection ends is what counts.

use super::{
    wire::{
        ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GET, GOAWAY, HEADERS, PADDED,
        PING, PRIORITY, PUSH_PROMISE, Peer, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, literal,
    },
    *,
};

// Error codes (section 7).
const PROTOCOL: u32 = 1;
const FLOW_CONTROL: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE: u32 = 6;
const COMPRESSION: u32 = 9;

/// Sends these frames and reads what comes back, until a frame is the one or the connection is closed.
async fn answered(frames: &[Vec<u8>], enough: impl Fn(&Frame) -> bool) -> Vec<Frame> {
    let server = Running::start(reading(), Limits::default()).await;
    let mut peer = Peer::connect(server.address).await.unwrap();
    for frame in frames {
        peer.send(frame).await;
    }
    peer.send(&frame(PING, 0, 0, LAST)).await;
    let read = async {
        let mut answers = Vec::new();
        while let Some(frame) = peer.next().await {
            let last = enough(&frame);
            answers.push(frame);
            if last {
                break;
            }
        }
        answers
    };
    let answers = timeout(PATIENCE, read).await.expect("an answer or an end");
    // Whatever was made of that, others are served.
    let response = http2().get(server.url("/")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(answers.iter().all(|frame| frame.kind != PUSH_PROMISE), "this server pushes nothing");
    answers
}

/// Answers a POST when it has the whole body.
fn reading() -> Router {
    let read = async |body: axum::body::Bytes| body.len().to_string();
    hello().route("/", axum::routing::post(read))
}

const LAST: &[u8; 8] = b"the last";

/// The connection must end, by one of these codes if the server says one. A server that goes on answers the ping.
async fn is_a_connection_error(codes: &[u32], frames: &[Vec<u8>]) {
    let answers = answered(frames, |frame| frame.kind == PING).await;
    for answer in answers {
        assert_ne!(answer.kind, PING, "it goes on");
        if answer.kind == GOAWAY {
            assert!(codes.contains(&answer.code().unwrap()), "{answer:?}");
        }
    }
}

/// The stream must end by one of these codes, or the connection; a malformed request may be answered with 400 too
/// (section 8.1.1).
async fn is_a_stream_error(codes: &[u32], frames: &[Vec<u8>]) {
    let ends = |frame: &Frame| matches!(frame.kind, RST_STREAM | GOAWAY) || is_refused(frame);
    let answers = answered(frames, ends).await;
    if let Some(code) = answers.last().and_then(Frame::code) {
        assert!(codes.contains(&code), "code {code}: {answers:?}");
    }
}

/// Whether a frame is `:status: 400`, index 12 of the static table.
fn is_refused(frame: &Frame) -> bool {
    frame.kind == HEADERS && frame.payload.first() == Some(&0x8c)
}

/// A whole request in one frame, on this stream.
fn request(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &GET)
}

/// A request that is not ended, on stream 1.
fn begun() -> Vec<u8> {
    frame(HEADERS, END_HEADERS, 1, &POST)
}

/// `:method: POST`, `:scheme: http`, `:path: /`.
const POST: [u8; 3] = [0x83, 0x86, 0x84];

/// Headers that no request may have, after those that it must have.
fn with(fields: &[u8]) -> Vec<u8> {
    let block = [&GET[..], fields].concat();
    frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)
}

fn setting(id: u16, value: u32) -> Vec<u8> {
    let payload = [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    frame(SETTINGS, 0, 0, &payload)
}

/// Each row is a test: its name, what it is, its codes, and the frames.
macro_rules! refused {
    ($($name:ident: $how:ident($codes:expr), $frames:expr;)+) => { $(
        #[tokio::test]
        async fn $name() {
            $how(&$codes, &$frames).await;
        }
    )+ };
}

refused! {
    // 4.2, 4.3
    a_frame_over_the_size_that_was_announced: is_a_connection_error([FRAME_SIZE, PROTOCOL]),
        [begun(), frame(DATA, 0, 1, &vec![0; 16_385])];
    a_header_block_that_cannot_be_decoded: is_a_connection_error([COMPRESSION, PROTOCOL]),
        [frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0x40])];
    an_index_that_no_table_has: is_a_connection_error([COMPRESSION, PROTOCOL]),
        [with(&[0xff, 0xff, 0x7f])];
    a_header_block_interrupted_by_another_frame: is_a_connection_error([PROTOCOL]),
        [frame(HEADERS, END_STREAM, 1, &GET), frame(PING, 0, 0, &[0; 8])];
    a_header_block_continued_on_another_stream: is_a_connection_error([PROTOCOL]),
        [frame(HEADERS, END_STREAM, 1, &GET), frame(CONTINUATION, END_HEADERS, 3, &[])];
    // 5.1
    data_on_an_idle_stream: is_a_connection_error([PROTOCOL]), [frame(DATA, 0, 1, b"x")];
    a_reset_of_an_idle_stream: is_a_connection_error([PROTOCOL]),
        [frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes())];
    a_window_update_of_an_idle_stream: is_a_connection_error([PROTOCOL]),
        [frame(WINDOW_UPDATE, 0, 1, &100_u32.to_be_bytes())];
    a_continuation_of_nothing: is_a_connection_error([PROTOCOL]),
        [frame(CONTINUATION, END_HEADERS, 1, &GET)];
    data_after_the_end_of_a_stream: is_a_stream_error([STREAM_CLOSED, PROTOCOL]),
        [request(1), frame(DATA, 0, 1, b"x")];
    headers_after_the_end_of_a_stream: is_a_stream_error([STREAM_CLOSED, PROTOCOL]),
        [request(1), request(1)];
    a_stream_of_the_servers_numbers: is_a_connection_error([PROTOCOL]), [request(2)];
    a_stream_below_the_last_one: is_a_stream_error([STREAM_CLOSED, PROTOCOL]),
        [request(5), request(3)];
    // 6.1, 6.2
    data_on_stream_0: is_a_connection_error([PROTOCOL]), [frame(DATA, 0, 0, b"x")];
    data_padded_beyond_its_length: is_a_connection_error([PROTOCOL]),
        [begun(), frame(DATA, PADDED, 1, &[9, b'x'])];
    headers_on_stream_0: is_a_connection_error([PROTOCOL]), [request(0)];
    headers_padded_beyond_their_length: is_a_connection_error([PROTOCOL]),
        [frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, &[9, 0x82])];
    // 6.3, 6.4
    a_priority_on_stream_0: is_a_connection_error([PROTOCOL]), [frame(PRIORITY, 0, 0, &[0; 5])];
    a_priority_of_a_wrong_length: is_a_stream_error([FRAME_SIZE, PROTOCOL]), [begun(), frame(PRIORITY, 0, 1, &[0; 4])];
    a_reset_of_stream_0: is_a_connection_error([PROTOCOL]), [frame(RST_STREAM, 0, 0, &[0; 4])];
    a_reset_of_a_wrong_length: is_a_connection_error([FRAME_SIZE, PROTOCOL]), [begun(), frame(RST_STREAM, 0, 1, &[0; 3])];
    // 6.5
    an_acknowledgement_of_settings_with_a_payload: is_a_connection_error([FRAME_SIZE, PROTOCOL]),
        [frame(SETTINGS, ACK, 0, &[0; 6])];
    settings_on_a_stream: is_a_connection_error([PROTOCOL]), [frame(SETTINGS, 0, 1, &[])];
    settings_of_a_wrong_length: is_a_connection_error([FRAME_SIZE, PROTOCOL]), [frame(SETTINGS, 0, 0, &[0; 5])];
    push_neither_on_nor_off: is_a_connection_error([PROTOCOL]), [setting(2, 2)];
    a_window_over_its_bound: is_a_connection_error([FLOW_CONTROL, PROTOCOL]), [setting(4, 1 << 31)];
    a_frame_size_under_its_bound: is_a_connection_error([PROTOCOL]), [setting(5, 16_383)];
    a_frame_size_over_its_bound: is_a_connection_error([PROTOCOL]), [setting(5, 1 << 24)];
    // 6.6 to 6.9
    a_push_by_a_client: is_a_connection_error([PROTOCOL]),
        [begun(), frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x82])];
    a_ping_on_a_stream: is_a_connection_error([PROTOCOL]), [frame(PING, 0, 1, &[0; 8])];
    a_ping_of_a_wrong_length: is_a_connection_error([FRAME_SIZE, PROTOCOL]), [frame(PING, 0, 0, &[0; 6])];
    a_goodbye_on_a_stream: is_a_connection_error([PROTOCOL]), [frame(GOAWAY, 0, 1, &[0; 8])];
    a_window_of_the_connection_enlarged_by_nothing: is_a_connection_error([PROTOCOL]),
        [frame(WINDOW_UPDATE, 0, 0, &[0; 4])];
    a_window_of_a_stream_enlarged_by_nothing: is_a_stream_error([PROTOCOL]),
        [begun(), frame(WINDOW_UPDATE, 0, 1, &[0; 4])];
    a_window_of_the_connection_enlarged_over_its_bound: is_a_connection_error([FLOW_CONTROL]),
        [frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes())];
    a_window_of_a_stream_enlarged_over_its_bound: is_a_stream_error([FLOW_CONTROL]),
        [begun(), frame(WINDOW_UPDATE, 0, 1, &0x7fff_ffff_u32.to_be_bytes())];
    a_window_update_of_a_wrong_length: is_a_connection_error([FRAME_SIZE, PROTOCOL]),
        [frame(WINDOW_UPDATE, 0, 0, &[0; 3])];
    // 8.1 to 8.3
    a_header_in_upper_case: is_a_stream_error([PROTOCOL]), [with(&literal("X-A", "b"))];
    a_header_of_the_connection: is_a_stream_error([PROTOCOL]), [with(&literal("connection", "keep-alive"))];
    a_te_that_is_not_trailers: is_a_stream_error([PROTOCOL]), [with(&literal("te", "gzip"))];
    a_transfer_encoding: is_a_stream_error([PROTOCOL]), [with(&literal("transfer-encoding", "chunked"))];
    an_unknown_pseudo_header: is_a_stream_error([PROTOCOL]), [with(&literal(":x", "y"))];
    a_pseudo_header_of_responses: is_a_stream_error([PROTOCOL]), [with(&[0x88])];
    a_pseudo_header_after_another: is_a_stream_error([PROTOCOL]),
        [with(&[literal("a", "b"), literal(":authority", "x")].concat())];
    a_pseudo_header_twice: is_a_stream_error([PROTOCOL]), [with(&[0x82])];
    a_request_without_a_method: is_a_stream_error([PROTOCOL]),
        [frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0x86, 0x84])];
    a_request_without_a_scheme: is_a_stream_error([PROTOCOL]),
        [frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0x82, 0x84])];
    an_empty_path: is_a_stream_error([PROTOCOL]),
        [frame(HEADERS, END_STREAM | END_HEADERS, 1, &[&[0x82, 0x86][..], &literal(":path", "")].concat())];
    a_body_longer_than_it_said: is_a_stream_error([PROTOCOL]),
        [frame(HEADERS, END_HEADERS, 1, &[&POST[..], &literal("content-length", "1")].concat()), frame(DATA, END_STREAM, 1, b"xyz")];
    a_body_shorter_than_it_said: is_a_stream_error([PROTOCOL]),
        [frame(HEADERS, END_HEADERS, 1, &[&POST[..], &literal("content-length", "9")].concat()), frame(DATA, END_STREAM, 1, b"xyz")];
    trailers_that_do_not_end_the_stream: is_a_stream_error([PROTOCOL]),
        [begun(), frame(HEADERS, END_HEADERS, 1, &literal("a", "b"))];
}

#[tokio::test]
async fn settings_are_acknowledged_and_pings_answered() {
    let answers = answered(&[], |frame| frame.kind == PING).await;
    let settings = |frame: &Frame| frame.kind == SETTINGS && frame.flags == ACK;
    assert!(answers.iter().any(settings), "{answers:?}");
    let pong = answers.last().unwrap();
    assert_eq!((pong.flags, &pong.payload[..]), (ACK, &LAST[..]));
}

#[tokio::test]
async fn the_limits_are_announced() {
    let answers = answered(&[], |frame| frame.kind == PING).await;
    let settings = answers.iter().find(|frame| frame.kind == SETTINGS).unwrap();
    let announced = |id: u16| {
        let mut each = settings.payload.chunks(6);
        let found = each.find(|setting| setting[..2] == id.to_be_bytes())?;
        Some(u32::from_be_bytes(found[2..].try_into().unwrap()))
    };
    // SETTINGS_MAX_CONCURRENT_STREAMS and SETTINGS_MAX_HEADER_LIST_SIZE.
    assert_eq!((announced(3), announced(6)), (Some(100), Some(48 * 1024)));
}

#[tokio::test]
async fn an_unknown_frame_and_an_unknown_setting_are_ignored() {
    let frames = [frame(0x42, 0, 0, b"x"), setting(0x42, 1), request(1)];
    let answers = answered(&frames, |frame| frame.kind == DATA).await;
    let body: Vec<&Frame> = answers.iter().filter(|frame| frame.kind == DATA).collect();
    assert_eq!(body[0].payload, b"hello");
}

/// h2 refuses neither. The guard closes every path but health's, so a missing path is closed too; and no handler
/// reads trailers.
#[tokio::test]
async fn a_request_without_a_path_and_pseudo_headers_in_trailers_are_answered_like_any_request() {
    let without_path = frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0x82, 0x86]);
    let trailers = frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0x82]);
    for frames in [vec![without_path], vec![begun(), trailers]] {
        let answers = answered(&frames, |frame| frame.kind == HEADERS).await;
        assert_eq!(answers.last().unwrap().kind, HEADERS);
    }
}
