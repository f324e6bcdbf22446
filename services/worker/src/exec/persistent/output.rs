//! What a process writes to stdout and stderr, read all the time: a full pipe would stop it.

use rustix::io::{read, retry_on_intr};
use tokio::{io::AsyncReadExt as _, net::unix::pipe, time::sleep};

use super::super::{
    capture::{Capture, FLUSH_AFTER, Stream},
    group::Pipes,
};

const CHUNK: usize = 8 * 1_024;
/// The most that is read at once when the output about an object is complete: a pipe's content.
const MAX_SETTLED: usize = 64 * 1_024;

/// Both streams.
#[derive(Debug)]
pub(super) struct Output {
    stdout: Tap,
    stderr: Tap,
}

/// One stream, and where it goes at this time.
#[derive(Debug)]
struct Tap {
    /// None once it has ended.
    pipe: Option<pipe::Receiver>,
    stream: Stream,
    capture: Capture,
    chunk: Vec<u8>,
    /// Whether something was written that may not be in the log yet.
    is_written: bool,
}

// === impl Output ===

impl Output {
    pub(super) fn new(pipes: Pipes) -> Self {
        Self {
            stdout: Tap::new(pipes.stdout, Stream::Stdout),
            stderr: Tap::new(pipes.stderr, Stream::Stderr),
        }
    }

    /// Reads a little, once there is something. Dropping the future loses nothing.
    pub(super) async fn pump(&mut self) {
        tokio::select! {
            () = self.stdout.pump() => {}
            () = self.stderr.pump() => {}
        }
    }

    /// Reads what is there: a program flushes before it answers, so that is all of it. From here on it is about the object of
    /// this key, or about none.
    pub(super) fn begin(&mut self, key: &str) {
        self.stdout.begin(key);
        self.stderr.begin(key);
    }

    /// Reads what is there.
    pub(super) fn settle(&mut self) {
        self.stdout.settle();
        self.stderr.settle();
    }

    /// What stderr has of the current object; it can be read while more arrives.
    pub(super) fn stderr(&self) -> Capture {
        self.stderr.capture.clone()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.stdout.capture.finish();
        self.stderr.capture.finish();
    }
}

// === impl Tap ===

impl Tap {
    fn new(pipe: pipe::Receiver, stream: Stream) -> Self {
        let (capture, chunk) = (Capture::new("before its first object", stream), vec![0; CHUNK]);
        Self { pipe: Some(pipe), stream, capture, chunk, is_written: false }
    }

    async fn pump(&mut self) {
        let Some(pipe) = &mut self.pipe else { return std::future::pending().await };
        tokio::select! {
            biased;
            read = pipe.read(&mut self.chunk) => match read {
                Ok(read @ 1..) => {
                    self.capture.push(&self.chunk[..read]);
                    self.is_written = true;
                }
                // A stream that breaks ends there.
                _ => self.pipe = None,
            },
            () = sleep(FLUSH_AFTER), if self.is_written => {
                self.capture.flush();
                self.is_written = false;
            }
        }
    }

    fn begin(&mut self, key: &str) {
        self.settle();
        self.capture.finish();
        self.capture = Capture::new(key, self.stream);
    }

    /// It asks the kernel: the runtime learns of new bytes a little later.
    fn settle(&mut self) {
        let Some(pipe) = &self.pipe else { return };
        let mut settled = 0;
        while settled < MAX_SETTLED {
            match retry_on_intr(|| read(pipe, &mut *self.chunk)) {
                Ok(read @ 1..) => {
                    self.capture.push(&self.chunk[..read]);
                    settled += read;
                }
                Ok(0) | Err(_) => return,
            }
        }
    }
}
