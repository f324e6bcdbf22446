//! HTTP/2 frames by hand (RFC 9113, section 4.1), for clients that no library would let us be.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// RFC 9113, section 3.4.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Types of frames (section 6).
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

// Flags.
pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;

/// `:method: GET`, `:scheme: http`, `:path: /`, of HPACK's static table (RFC 7541, appendix A).
pub(crate) const GET: [u8; 3] = [0x82, 0x86, 0x84];

/// A frame that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

// === impl Frame ===

impl Frame {
    /// The error code of a `RST_STREAM` or a `GOAWAY`.
    pub(crate) fn code(&self) -> Option<u32> {
        let at = match self.kind {
            RST_STREAM => 0,
            GOAWAY => 4,
            _ => return None,
        };
        let code = self.payload.get(at..at + 4)?;
        Some(u32::from_be_bytes(code.try_into().ok()?))
    }
}

/// The bytes of a frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A literal header that is not put into the table (RFC 7541, section 6.2.2). Names and values under 127 bytes.
pub(crate) fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut literal = vec![0];
    for text in [name, value] {
        assert!(text.len() < 127, "a longer one needs another prefix");
        literal.push(u8::try_from(text.len()).unwrap());
        literal.extend(text.as_bytes());
    }
    literal
}

/// A connection on which both sides have said hello.
pub(crate) struct Peer<R = OwnedReadHalf, W = OwnedWriteHalf> {
    pub(crate) read: R,
    pub(crate) write: W,
}

// === impl Peer ===

impl Peer {
    /// Connects, and sends the preface and empty settings.
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        Self::greet(read, write, &[]).await
    }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Peer<R, W> {
    /// Sends the preface and these settings.
    pub(crate) async fn greet(read: R, mut write: W, settings: &[u8]) -> io::Result<Self> {
        write.write_all(PREFACE).await?;
        write.write_all(&frame(SETTINGS, 0, 0, settings)).await?;
        Ok(Self { read, write })
    }

    /// Sends bytes; a server that has closed meanwhile is no error here.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        self.write.write_all(bytes).await.is_ok()
    }

    /// The next frame; nothing when the connection is closed.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        next(&mut self.read).await
    }
}

/// The next frame; nothing when the connection is closed.
pub(crate) async fn next(read: &mut (impl AsyncRead + Unpin)) -> Option<Frame> {
    let mut head = [0; 9];
    read.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    read.read_exact(&mut payload).await.ok()?;
    Some(Frame {
        kind: head[3],
        flags: head[4],
        stream: u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]),
        payload,
    })
}
