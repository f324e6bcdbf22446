//! What an ill-meaning client may not do, over raw HTTP/2.

use super::*;

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
