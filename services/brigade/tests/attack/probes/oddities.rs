//! Requests over HTTP/1.1 that no client should send. None may be taken for a call, nor for two requests.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::Attacked;
use crate::service::within;

const ROUNDS: usize = 20;

/// Each begins a connection; what follows a request on it must not be answered as one of a caller.
const HEADS: [&str; 24] = [
    "POST /process HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /process HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    "POST /process HTTP/1.1\r\nhost: x\r\ncontent-length: +5\r\n\r\nhello",
    "POST /process HTTP/1.1\r\nhost: x\r\ncontent-length: 5, 5\r\n\r\nhello",
    "POST /process HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    "POST /process HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n",
    "POST /process HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "POST /process HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "POST /process HTTP/1.1\r\nhost: x\r\ntransfer-encoding:\u{b}chunked\r\n\r\n0\r\n\r\n",
    "POST /process HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    "POST /process HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n\r\n",
    "POST /process HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5;a=\n\r\nhello\r\n0\r\n\r\n",
    "POST /process HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET /process HTTP/1.1\r\nhost : x\r\n\r\n",
    "GET /process HTTP/1.1\r\nhost: x\r\n folded: y\r\n\r\n",
    "GET /process HTTP/1.1\r\n\r\n",
    "GET  /process HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET /process HTTP/1.2\r\nhost: x\r\n\r\n",
    "GET /process HTTP/9.9\r\nhost: x\r\n\r\n",
    "GET /process\r\n",
    "GET /pro\0cess HTTP/1.1\r\nhost: x\r\n\r\n",
    "G@T /process HTTP/1.1\r\nhost: x\r\n\r\n",
    "PRI * HTTP/1.1\r\nhost: x\r\n\r\n",
    "\r\n\r\n\r\n\u{16}\u{3}\u{1}\r\n\r\n",
];

pub(super) async fn run(address: SocketAddr) -> Attacked {
    for head in HEADS.repeat(ROUNDS) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        // A reset is an end too.
        let _ = within(stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer);
        let refused =
            ["HTTP/1.1 400", "HTTP/1.1 401", "HTTP/1.0 400", "HTTP/1.0 401", "HTTP/1.1 505"];
        let fine = answer.is_empty() || refused.iter().any(|status| answer.starts_with(status));
        assert!(fine, "{head:?}: {answer}");
        assert!(answer.matches("HTTP/1.").count() <= 1, "{head:?}: {answer}");
    }
    Attacked::default()
}
