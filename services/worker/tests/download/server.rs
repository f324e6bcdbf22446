//! The download half of the JSON API, for one object.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

pub(crate) const BUCKET: &str = "data";
pub(crate) const NAME: &str = "in/large";
pub(crate) const GENERATION: i64 = 7;

const PIECE: usize = 256 * 1024;

/// What is served.
#[derive(Clone)]
pub(crate) enum Content {
    /// These bytes.
    Bytes(Bytes),
    /// So many zeros, which are nowhere.
    Zeros(u64),
}

/// The server's side of one test.
#[derive(Default)]
pub(crate) struct Script {
    /// Where the next connections are cut, in order.
    pub(crate) cuts: Mutex<VecDeque<u64>>,
    /// From which offsets the content was asked for.
    pub(crate) asked: Mutex<Vec<u64>>,
}

/// Serves the content until the test ends.
pub(crate) async fn serve(content: Content, script: Arc<Script>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, content.clone(), script.clone()));
        }
    });
    address
}

/// A client that hangs up ends its connection, and nothing else.
async fn connection(mut stream: TcpStream, content: Content, script: Arc<Script>) {
    while let Some(offset) = next_request(&mut stream).await {
        script.asked.lock().unwrap().push(offset);
        let cut = script.cuts.lock().unwrap().pop_front();
        let size = content.size();
        let head = format!(
            "HTTP/1.1 206 Partial Content\r\nx-goog-generation: {GENERATION}\r\ncontent-length: {}\r\n\
             content-range: bytes {offset}-{}/{size}\r\n\r\n",
            size - offset,
            size - 1,
        );
        if stream.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        let mut at = offset;
        let end = cut.unwrap_or(size);
        while at < end {
            let piece = content.piece(at, end);
            at += piece.len() as u64;
            if stream.write_all(&piece).await.is_err() {
                return;
            }
        }
        if cut.is_some() {
            return;
        }
    }
}

/// The offset that the next request asks for; nothing when the client hangs up.
async fn next_request(stream: &mut TcpStream) -> Option<u64> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    if head.starts_with("pri *") {
        // HTTP/2: a look at the object's metadata, which this server knows nothing of.
        return None;
    }
    assert!(head.starts_with("get /storage/v1/b/data/o/in%2flarge?"), "{head}");
    assert!(head.contains("generation=7"), "{head}");
    let range = head.lines().find_map(|line| line.strip_prefix("range: bytes="));
    Some(range.map_or(0, |range| range.trim_end_matches('-').parse().unwrap()))
}

impl Content {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Zeros(size) => *size,
        }
    }

    fn piece(&self, at: u64, end: u64) -> Bytes {
        static ZEROS: [u8; PIECE] = [0; PIECE];
        let length = PIECE.min(usize::try_from(end - at).unwrap());
        match self {
            Self::Bytes(bytes) => {
                let at = usize::try_from(at).unwrap();
                bytes.slice(at..at + length)
            }
            Self::Zeros(_) => Bytes::from_static(&ZEROS[..length]),
        }
    }
}
