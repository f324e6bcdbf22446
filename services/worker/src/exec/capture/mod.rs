//! What a program writes on one of its output streams: each line goes to the worker's log, and the end is kept.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use brigade_runtime::telemetry::PROGRAM;
use brigade_telemetry::{Context, active};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::timeout,
};

use crate::text;

/// Bytes kept of a stream at least. More than is shown, because control sequences are removed.
const MAX_KEPT: usize = 8 * 1_024;
/// Bytes of a reason or a summary: what fits into an object's metadata.
const MAX_SHOWN: usize = 1_024;
/// Bytes of a line in the log; of a longer one the rest is the next line.
const MAX_LINE: usize = 8 * 1_024;
/// How much of one stream about one object is logged; the rest is counted.
const MAX_LOGGED_LINES: usize = 1_000;
const MAX_LOGGED_BYTES: usize = 256 * 1_024;
/// Text without the end of its line is logged when nothing follows for so long.
pub(super) const FLUSH_AFTER: Duration = Duration::from_secs(1);
const CHUNK: usize = 8 * 1_024;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// Both streams of a program about one object.
#[derive(Clone, Debug)]
pub(super) struct Captures {
    pub(super) stdout: Capture,
    pub(super) stderr: Capture,
}

/// What is written on one stream about one object. Clones share it, so that it can be read while the program still writes.
#[derive(Clone, Debug)]
pub(super) struct Capture(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// The object, as `Job::key` has it; empty between two.
    key: String,
    stream: Stream,
    /// The trace and span of its lines: the task that reads them is in no span of the object.
    trace: Option<Context>,
    /// The end of the stream.
    kept: Vec<u8>,
    /// Where its last line begins, in `kept`.
    line: usize,
    /// Up to where it was logged, in `kept`.
    logged: usize,
    logged_lines: usize,
    logged_bytes: usize,
    /// Lines that were too many to be logged.
    unlogged: usize,
}

// === impl Stream ===

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
    }
}

// === impl Captures ===

impl Captures {
    pub(super) fn new(key: &str) -> Self {
        Self {
            stdout: Capture::new(key, Stream::Stdout),
            stderr: Capture::new(key, Stream::Stderr),
        }
    }
}

// === impl Capture ===

impl Capture {
    /// Its lines belong to the current trace.
    pub(super) fn new(key: &str, stream: Stream) -> Self {
        Self(Arc::new(Mutex::new(State {
            key: key.to_owned(),
            stream,
            trace: active(),
            kept: Vec::new(),
            line: 0,
            logged: 0,
            logged_lines: 0,
            logged_bytes: 0,
            unlogged: 0,
        })))
    }

    /// Takes what the program wrote.
    pub(super) fn push(&self, chunk: &[u8]) {
        self.state().push(chunk);
    }

    /// Logs what there is of a line that has not ended yet.
    pub(super) fn flush(&self) {
        let mut state = self.state();
        let end = character_boundary(&state.kept);
        state.log_to(end);
    }

    /// Nothing more comes: logs a last line that has no end, and how many lines were too many.
    pub(super) fn finish(&self) {
        let mut state = self.state();
        let end = state.kept.len();
        state.log_to(end);
        state.log_unlogged();
    }

    /// Reads to the end, so that the program never waits for a reader. Dropping the future keeps what was read. A stream that
    /// breaks ends there.
    pub(super) async fn drain(&self, mut stream: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; CHUNK];
        loop {
            let mut read = timeout(FLUSH_AFTER, stream.read(&mut buffer)).await;
            if read.is_err() {
                self.flush();
                read = Ok(stream.read(&mut buffer).await);
            }
            match read {
                Ok(Ok(read @ 1..)) => self.push(&buffer[..read]),
                _ => return,
            }
        }
    }

    /// The last line that is not blank.
    pub(super) fn last_line(&self) -> String {
        let last = self.kept_lines().pop().unwrap_or_default();
        text::cut(&last, MAX_SHOWN).to_owned()
    }

    /// The last line, and as many of the lines before it as fit.
    pub(super) fn lines(&self) -> String {
        const EXTRA: usize = " (after: )".len();
        let mut lines = self.kept_lines();
        let last = lines.pop().unwrap_or_default();
        let last = text::cut(&last, MAX_SHOWN);
        let mut before = String::new();
        for line in lines.iter().rev() {
            let joined =
                if before.is_empty() { line.clone() } else { format!("{line} | {before}") };
            if last.len() + EXTRA + joined.len() > MAX_SHOWN {
                break;
            }
            before = joined;
        }
        if before.is_empty() { last.to_owned() } else { format!("{last} (after: {before})") }
    }

    fn kept_lines(&self) -> Vec<String> {
        text::lines(&self.state().kept)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl State ===

impl State {
    fn push(&mut self, chunk: &[u8]) {
        if self.is_full() {
            return self.count(chunk);
        }
        for mut rest in chunk.split_inclusive(|byte| *byte == b'\n') {
            while !rest.is_empty() {
                let room = MAX_LINE - (self.kept.len() - self.logged);
                let (part, after) = rest.split_at(room.min(rest.len()));
                self.append(part);
                rest = after;
            }
        }
    }

    /// Takes what is not logged. A flood costs little.
    fn count(&mut self, chunk: &[u8]) {
        self.unlogged += chunk.split(|byte| *byte == b'\n').count() - 1;
        self.kept.extend_from_slice(chunk);
        self.logged = self.kept.len();
        self.forget_old();
    }

    /// Takes a part of one line.
    fn append(&mut self, part: &[u8]) {
        let before = self.kept.len();
        self.kept.extend_from_slice(part);
        self.forget_repeated();
        self.forget_overwritten(before);
        let end = self.kept.len();
        if self.kept.ends_with(b"\n") {
            self.log_to(end);
            self.line = end;
        } else if end - self.logged >= MAX_LINE {
            self.log_to(character_boundary(&self.kept));
        }
        self.forget_old();
    }

    /// Seldom, so that a flood of short lines moves the rest seldom.
    fn forget_old(&mut self) {
        if self.kept.len() > 2 * MAX_KEPT {
            let surplus = self.kept.len() - MAX_KEPT;
            self.kept.drain(..surplus);
            self.line = self.line.saturating_sub(surplus);
            self.logged = self.logged.saturating_sub(surplus);
        }
    }

    /// `\r\r` means the same as `\r`. So a flood of them is read once.
    fn forget_repeated(&mut self) {
        let end = self.kept.len() - usize::from(self.kept.ends_with(b"\n"));
        let text = self.kept[self.line..end].iter().rposition(|byte| *byte != b'\r');
        let first = text.map_or(self.line, |at| self.line + at + 1);
        if first + 1 < end {
            self.kept.drain(first + 1..end);
            self.logged = self.logged.min(first + 1);
        }
    }

    /// Of a line that is written again and again, such as a progress bar, the last state counts.
    fn forget_overwritten(&mut self, before: usize) {
        // Its end may be CR LF.
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        // No further than the line: a flood of blank ones would be read again and again.
        let line = &self.kept[self.line..];
        let Some(last) = line.iter().rposition(|byte| !is_end(byte)) else { return };
        let last = self.line + last;
        let from = self.line.max(before.saturating_sub(1)).min(last);
        if let Some(found) = self.kept[from..last].iter().rposition(|byte| *byte == b'\r') {
            self.kept.drain(self.line..=from + found);
            self.logged = self.line;
        }
    }

    fn log_to(&mut self, end: usize) {
        let bytes = self.kept.get(self.logged..end).unwrap_or_default();
        if self.is_full() {
            self.unlogged += usize::from(!bytes.trim_ascii().is_empty());
        } else {
            let lines = text::lines(bytes);
            // Blank ones count, too: they take time.
            self.logged_lines += lines.len().max(usize::from(!bytes.is_empty()));
            self.logged_bytes += bytes.len();
            for line in &lines {
                self.log(line);
            }
        }
        self.logged = self.logged.max(end);
    }

    fn log(&self, line: &str) {
        let _current = self.trace.clone().map(Context::attach);
        let (object, stream) = (self.object(), self.stream);
        tracing::info!(target: PROGRAM, object, %stream, "{line}");
    }

    fn is_full(&self) -> bool {
        self.logged_lines >= MAX_LOGGED_LINES || self.logged_bytes >= MAX_LOGGED_BYTES
    }

    fn log_unlogged(&mut self) {
        if self.unlogged > 0 {
            let _current = self.trace.clone().map(Context::attach);
            let (object, stream, lines) = (self.object(), self.stream, self.unlogged);
            tracing::info!(
                target: PROGRAM,
                object,
                %stream,
                "{lines} more lines are not logged: the limit is 1,000 lines or 256 KiB for each object and stream"
            );
        }
        self.unlogged = 0;
    }

    fn object(&self) -> &str {
        if self.key.is_empty() { "between two objects" } else { &self.key }
    }
}

/// The end of the bytes, without the beginning of a character whose rest has not come yet.
fn character_boundary(bytes: &[u8]) -> usize {
    let rest = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let is_begun = str::from_utf8(rest).is_err_and(|error| error.error_len().is_none());
    bytes.len() - if is_begun { rest.len() } else { 0 }
}

#[cfg(test)]
mod tests;
