//! A server that reads and writes single HTTP/2 frames (RFC 9113): what the `h2` crate hides, such as PING, or does not send.

#![allow(dead_code, reason = "each test binary needs some of it")]

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;

pub(crate) const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

const PREFACE: usize = 24;

pub(crate) struct Frames<T>(T);

pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Frames<T> {
    /// Reads the client's preface, and sends settings.
    pub(crate) async fn accept(mut io: T) -> Self {
        let mut preface = [0; PREFACE];
        io.read_exact(&mut preface).await.unwrap();
        let mut frames = Self(io);
        frames.send(SETTINGS, 0, 0, &[]).await;
        frames
    }

    /// The next frame, until the connection ends. SETTINGS and PING are acknowledged.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let [l0, l1, l2, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        if matches!(kind, SETTINGS | PING) && flags & ACK == 0 {
            let answer: &[u8] = if kind == PING { &payload } else { &[] };
            self.send(kind, ACK, 0, answer).await;
        }
        Some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    /// The number of the next stream whose request has arrived as a whole.
    pub(crate) async fn request(&mut self) -> Option<u32> {
        loop {
            let frame = self.next().await?;
            if matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0 {
                return Some(frame.stream);
            }
        }
    }

    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let [_, l0, l1, l2] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let [s0, s1, s2, s3] = stream.to_be_bytes();
        let mut frame = vec![l0, l1, l2, kind, flags, s0, s1, s2, s3];
        frame.extend_from_slice(payload);
        // A client that has hung up meanwhile reads nothing.
        let _ = self.0.write_all(&frame).await;
    }

    /// A response of nothing but this `grpc-status`.
    pub(crate) async fn status(&mut self, stream: u32, status: &str) {
        // `:status 200` from HPACK's table, and two literal fields (RFC 7541).
        let mut block = vec![0x88];
        for (name, value) in [("content-type", "application/grpc"), ("grpc-status", status)] {
            block.push(0);
            for text in [name, value] {
                block.push(u8::try_from(text.len()).unwrap());
                block.extend_from_slice(text.as_bytes());
            }
        }
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, &block).await;
    }

    /// `RST_STREAM` with this error code.
    pub(crate) async fn reset(&mut self, stream: u32, code: u32) {
        self.send(RST_STREAM, 0, stream, &code.to_be_bytes()).await;
    }

    /// GOAWAY: streams above `last` were not processed.
    pub(crate) async fn go_away(&mut self, last: u32, code: u32, debug: &str) {
        let mut payload = last.to_be_bytes().to_vec();
        payload.extend(code.to_be_bytes());
        payload.extend_from_slice(debug.as_bytes());
        self.send(GOAWAY, 0, 0, &payload).await;
    }
}
