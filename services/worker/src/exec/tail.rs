//! Keeps a bounded part of a program's output.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::text;

/// Bytes kept of a stream. More than is shown, because control sequences are removed.
const MAX_KEPT: usize = 4 * 1_024;
/// Bytes of a reason or a summary: what fits into an object's metadata.
const MAX_SHOWN: usize = 1_024;
const CHUNK: usize = 8 * 1_024;

/// The beginning of a stream.
#[derive(Debug, Default)]
pub(super) struct Head(Vec<u8>);

/// The end of a stream. Clones share it, so that it can be read while the program still writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail(Arc<Mutex<Vec<u8>>>);

// === impl Head ===

impl Head {
    /// Reads to the end, so that the program never waits for a reader. Dropping the future keeps what was read.
    pub(super) async fn drain(&mut self, stream: impl AsyncRead + Unpin) {
        drain(stream, |chunk| {
            let remaining = MAX_KEPT - self.0.len();
            self.0.extend_from_slice(&chunk[..chunk.len().min(remaining)]);
        })
        .await;
    }

    /// The first line that is not blank.
    pub(super) fn line(&self) -> String {
        let first = text::lines(&self.0).into_iter().next().unwrap_or_default();
        text::cut(&first, MAX_SHOWN).to_owned()
    }
}

// === impl Tail ===

impl Tail {
    /// As [`Head::drain`].
    pub(super) async fn drain(&self, stream: impl AsyncRead + Unpin) {
        drain(stream, |chunk| {
            let mut kept = self.kept();
            kept.extend_from_slice(chunk);
            let surplus = kept.len().saturating_sub(MAX_KEPT);
            kept.drain(..surplus);
        })
        .await;
    }

    fn kept(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As many of the last lines as fit, joined into one; or the end of a last line that is too long.
    pub(super) fn lines(&self) -> String {
        const SEPARATOR: &str = " | ";
        let mut shown = String::new();
        for line in text::lines(&self.kept()).into_iter().rev() {
            if shown.is_empty() {
                text::cut_front(&line, MAX_SHOWN).clone_into(&mut shown);
            } else if shown.len() + SEPARATOR.len() + line.len() <= MAX_SHOWN {
                shown = format!("{line}{SEPARATOR}{shown}");
            } else {
                break;
            }
        }
        shown
    }
}

/// A stream that breaks ends there.
async fn drain(mut stream: impl AsyncRead + Unpin, mut keep: impl FnMut(&[u8])) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        keep(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn tail(written: &[u8]) -> Tail {
        let tail = Tail::default();
        tail.drain(written).await;
        tail
    }

    #[tokio::test]
    async fn the_last_lines_are_kept_and_the_memory_is_bounded() {
        let mut written = "noise\n".repeat(1_000_000).into_bytes();
        written.extend(b"Traceback:\nValueError: no column \xffx\n\n");
        let tail = tail(&written).await;
        let capacity = tail.kept().capacity();
        assert!(capacity <= 2 * (MAX_KEPT + CHUNK), "{capacity}");
        let shown = tail.lines();
        assert!(shown.ends_with("noise | Traceback: | ValueError: no column \u{fffd}x"), "{shown}");
        assert!(shown.len() <= MAX_SHOWN && shown.starts_with("noise | "), "{shown}");
    }

    #[tokio::test]
    async fn of_one_endless_line_the_end_is_kept() {
        let shown = tail("é".repeat(5_000).as_bytes()).await.lines();
        assert_eq!(shown, "é".repeat(512));
    }

    #[tokio::test]
    async fn the_first_line_is_kept_of_any_output() {
        let mut head = Head::default();
        let written = format!("\n\n  {}\n{}", "a".repeat(2_000), "b".repeat(1_000_000));
        head.drain(written.as_bytes()).await;
        assert_eq!(head.line(), "a".repeat(MAX_SHOWN));
        assert!(head.0.len() <= MAX_KEPT);
    }
}
