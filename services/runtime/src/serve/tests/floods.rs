//! What an ill-meaning client may not do, over raw HTTP/2.

use super::{
    wire::{CONTINUATION, END_HEADERS, END_STREAM, GET, HEADERS, Peer, RST_STREAM, frame, next},
    *,
};

/// Opens a connection and says hello; the answers are read in the background and their types counted.
async fn raw_http2(server: &Running) -> (OwnedWriteHalf, JoinHandle<[usize; 256]>) {
    let Peer { mut read, write } = Peer::connect(server.address).await.unwrap();
    let counts = tokio::spawn(async move {
        let mut counts = [0; 256];
        while let Some(frame) = next(&mut read).await {
            counts[usize::from(frame.kind)] += 1;
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
    let counts = timeout(PATIENCE, counts).await.expect("the connection is closed");
    let response = http2().get(server.url("/health")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    counts.unwrap()
}

const END_STREAM_AND_HEADERS: u8 = END_STREAM | END_HEADERS;

#[tokio::test]
async fn a_flood_of_malformed_streams_closes_the_connection() {
    let server = Running::start(hello(), Limits::default()).await;
    // `:path` alone is no request.
    let counts =
        flood(&server, |stream| frame(HEADERS, END_STREAM_AND_HEADERS, stream, &[0x84])).await;
    assert!(counts[usize::from(RST_STREAM)] <= 200, "{} resets", counts[usize::from(RST_STREAM)]);
}

#[tokio::test]
async fn a_flood_of_resets_closes_the_connection() {
    let forever = Router::new().route("/", get(pending::<&str>)).merge(health());
    let server = Running::start(forever, Limits::default()).await;
    let counts = flood(&server, |stream| {
        let mut frames = frame(HEADERS, END_HEADERS, stream, &GET);
        frames.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        frames
    });
    counts.await;
}

#[tokio::test]
async fn streams_over_the_limit_are_refused() {
    let gate = Gate::default();
    let server = Running::start(gate.router(), Limits { calls: 20_000, ..Limits::default() }).await;
    let (mut write, counts) = raw_http2(&server).await;
    // Index 4 of the static table is `:path`; the value follows it as a literal.
    let request = [&[0x82, 0x86, 0x04, 5][..], b"/wait"].concat();
    for number in 0..150 {
        write
            .write_all(&frame(HEADERS, END_STREAM_AND_HEADERS, number * 2 + 1, &request))
            .await
            .unwrap();
    }
    // The answer to a ping comes after the answers to what was sent before it.
    write.write_all(&frame(6, 0, 0, &[0; 8])).await.unwrap();
    write.shutdown().await.unwrap();
    let counts = timeout(PATIENCE, counts).await.expect("the connection is closed").unwrap();
    assert!(counts[usize::from(RST_STREAM)] >= 50, "{} refused", counts[usize::from(RST_STREAM)]);
}

#[tokio::test]
async fn a_flood_of_continuations_closes_the_connection() {
    let server = Running::start(hello(), Limits::default()).await;
    let literal = [&[0x00, 1, b'x', 127, 0][..], &[b'y'; 127]].concat();
    flood(&server, |stream| {
        if stream == 1 { frame(HEADERS, 0, 1, &GET) } else { frame(CONTINUATION, 0, 1, &literal) }
    })
    .await;
}
