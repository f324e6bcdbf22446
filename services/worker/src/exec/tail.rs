//! The end of what a program says, in bounded memory.

use std::collections::VecDeque;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What is kept of a stream.
const KEPT: usize = 4096;
/// What becomes a reason or a summary: it has to fit into an object's metadata.
const SHOWN: usize = 1024;

/// Reads a stream to its end, and keeps its last bytes.
pub(super) async fn last(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut kept = VecDeque::with_capacity(2 * KEPT);
    let mut buffer = [0; KEPT];
    // A stream that breaks ends there.
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        kept.extend(&buffer[..read]);
        kept.drain(..kept.len().saturating_sub(KEPT));
    }
    kept.into()
}

/// Reads a stream to its end, and keeps its first line.
pub(super) async fn first_line(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut line = Vec::new();
    let mut ended = false;
    let mut buffer = [0; KEPT];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        for byte in &buffer[..read] {
            ended |= *byte == b'\n' || line.len() == SHOWN;
            if !ended {
                line.push(*byte);
            }
        }
    }
    line
}

/// The last whole lines that fit, in one printable line.
pub(super) fn reason(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let mut lines = Vec::new();
    let mut length = 0;
    for line in text
        .lines()
        .rev()
        .map(printable)
        .filter(|line| !line.is_empty())
    {
        length += line.len() + 3;
        if length > SHOWN && !lines.is_empty() {
            break;
        }
        lines.push(line);
    }
    lines.reverse();
    let mut reason = lines.join(" | ");
    reason.truncate(reason.floor_char_boundary(SHOWN));
    reason
}

/// Without what could repaint a terminal or forge a log line.
pub(super) fn printable(line: &str) -> String {
    line.trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
