//! The lines of the protocol, `docs/PROTOCOL.md`: jobs to a program, and messages of it.

use std::{io, path::Path, time::Duration};

use brigade_proto::v1::Object;
use rustix::io::{Errno, ioctl_fionread, read, retry_on_intr};
use serde::{Deserialize, Serialize};
use serde_json::ser::{Formatter, Serializer};
use tokio::{io::AsyncReadExt as _, net::unix::pipe};

use super::super::answer::{Answer, or_default};
use crate::text;

/// The version that is offered, in `BRIGADE_PROTOCOL`.
pub(super) const VERSION: u64 = 1;
/// The longest line of a program.
const MAX_LINE: usize = 64 * 1_024;
/// Bytes of a line in a reason.
const MAX_SHOWN: usize = 200;
const CHUNK: usize = 8 * 1_024;

/// One job, but for the time that it has.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) path: String,
    pub(super) output_dir: String,
    pub(super) scratch: String,
    pub(super) attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) traceparent: Option<String>,
    pub(super) object: Object,
}

#[derive(Serialize)]
struct JobMessage<'a> {
    job: Timed<'a>,
}

#[derive(Serialize)]
struct Timed<'a> {
    #[serde(flatten)]
    job: &'a Job,
    deadline_seconds: f64,
}

/// Writes every other character as `\uXXXX`.
struct Ascii;

/// What a program writes: that it is ready, how far it is, or an answer. Unknown keys are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub(super) ready: Option<bool>,
    pub(super) protocol: Option<u64>,
    #[serde(deserialize_with = "or_default")]
    pub(super) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) version: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) reason: String,
    pub(super) id: Option<String>,
    pub(super) progress: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) recycle: bool,
    #[serde(flatten)]
    pub(super) answer: Answer,
}

/// The lines that a program writes.
#[derive(Debug)]
pub(super) struct Lines {
    pipe: pipe::Receiver,
    /// What has arrived of lines that were not returned.
    buffer: Vec<u8>,
    chunk: Vec<u8>,
    closed: bool,
}

/// What comes next on the pipe.
#[derive(Debug)]
pub(super) enum Next {
    /// A line that is a message.
    Message(Box<Message>),
    /// A line that is none, and why.
    Invalid(String),
    /// No more lines come. A line without an end is none.
    Closed,
}

// === impl Job ===

impl Job {
    /// Its line in ASCII, with the time that is left. Readers that split at other line ends, or decode by a locale, read it too.
    pub(super) fn line(&self, remaining: Duration) -> serde_json::Result<Vec<u8>> {
        let job = Timed { job: self, deadline_seconds: remaining.as_secs_f64() };
        let mut line = Vec::new();
        JobMessage { job }.serialize(&mut Serializer::with_formatter(&mut line, Ascii))?;
        line.push(b'\n');
        Ok(line)
    }
}

impl Formatter for Ascii {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        for character in fragment.chars() {
            match character {
                ' '..='~' => write!(writer, "{character}")?,
                other => {
                    for unit in other.encode_utf16(&mut [0; 2]) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A path as the protocol has it.
pub(super) fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

// === impl Lines ===

impl Lines {
    pub(super) fn new(pipe: pipe::Receiver) -> Self {
        Self { pipe, buffer: Vec::new(), chunk: vec![0; CHUNK], closed: false }
    }

    /// Waits for the next line. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Next {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            let read = self.pipe.read(&mut self.chunk).await;
            self.add(read.unwrap_or_default());
        }
    }

    /// The next line, if it is there already. It asks the kernel: the runtime learns of new bytes a little later.
    pub(super) fn now(&mut self) -> Option<Next> {
        loop {
            if let Some(next) = self.take() {
                return Some(next);
            }
            match retry_on_intr(|| read(&self.pipe, &mut *self.chunk)) {
                Ok(read) => self.add(read),
                Err(Errno::AGAIN) => return None,
                Err(_) => self.closed = true,
            }
        }
    }

    /// What is in the pipe at this time, and no more: another process may write to it for ever.
    pub(super) fn rest(&mut self) -> impl Iterator<Item = Next> {
        let mut unread = ioctl_fionread(&self.pipe).unwrap_or_default();
        while unread > 0 {
            match retry_on_intr(|| read(&self.pipe, &mut *self.chunk)) {
                Ok(read @ 1..) => {
                    self.add(read);
                    unread = unread.saturating_sub(read as u64);
                }
                Ok(0) | Err(_) => break,
            }
        }
        std::iter::from_fn(|| self.take())
    }

    fn add(&mut self, read: usize) {
        self.buffer.extend_from_slice(&self.chunk[..read]);
        self.closed |= read == 0;
    }

    fn take(&mut self) -> Option<Next> {
        let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else {
            if self.buffer.len() > MAX_LINE {
                return Some(self.too_long());
            }
            return self.closed.then_some(Next::Closed);
        };
        if end > MAX_LINE {
            return Some(self.too_long());
        }
        let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
        line.pop();
        Some(parse(&line))
    }

    /// Nothing after it is read: the process is ended.
    fn too_long(&mut self) -> Next {
        let beginning = shown(&self.buffer);
        self.buffer.clear();
        Next::Invalid(format!("a line of more than 64 KiB, which begins {beginning:?}"))
    }
}

fn parse(line: &[u8]) -> Next {
    match serde_json::from_slice(line) {
        Ok(message) => Next::Message(Box::new(message)),
        Err(error) => Next::Invalid(format!("{:?}, which is no message: {error}", shown(line))),
    }
}

fn shown(line: &[u8]) -> String {
    // A cut character at the end is shown as a replacement.
    let beginning = String::from_utf8_lossy(&line[..line.len().min(MAX_SHOWN)]).into_owned();
    text::cut(&beginning, MAX_SHOWN).to_owned()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    fn pair() -> (pipe::Sender, Lines) {
        let (sender, receiver) = pipe::pipe().unwrap();
        (sender, Lines::new(receiver))
    }

    fn id(next: Next) -> String {
        match next {
            Next::Message(message) => message.id.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_line_may_arrive_in_any_pieces() {
        let (mut sender, mut lines) = pair();
        let sent = "{\"id\":\"é1\"}\n{\"id\":\"2\"}\n";
        let writing = tokio::spawn(async move {
            for byte in sent.as_bytes() {
                sender.write_all(&[*byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        assert_eq!(id(lines.next().await), "é1");
        assert_eq!(id(lines.next().await), "2");
        assert!(matches!(lines.next().await, Next::Closed));
        writing.await.unwrap();
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_none() {
        let (mut sender, mut lines) = pair();
        sender.write_all(b"{\"id\":\"1\"}").await.unwrap();
        assert!(lines.now().is_none());
        drop(sender);
        assert!(matches!(lines.now(), Some(Next::Closed)));
        assert!(matches!(lines.next().await, Next::Closed));
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_named_before_it_ends() {
        let (mut sender, mut lines) = pair();
        let writing = tokio::spawn(async move {
            let _ = sender.write_all(&vec![b'x'; 10 * MAX_LINE]).await;
        });
        let Next::Invalid(why) = lines.next().await else { panic!("it is no message") };
        assert!(why.starts_with("a line of more than 64 KiB") && why.len() < 300, "{why}");
        drop(lines);
        writing.await.unwrap();
    }

    #[test]
    fn lines_that_are_no_message_are_shown() {
        let long = format!("é{}", "x".repeat(1_000));
        let lines = [
            "",
            "done",
            "[1]",
            "{\"id\":1}",
            "{\"id\":\"1\",\"id\":\"2\"}",
            "{\"id\":\"1\",\"accept\":{},\"accept\":{}}",
            "{\"id\":\"1\",\"accept\":{\"labels\":{\"mean\":NaN}}}",
            &long,
        ];
        let mut table = String::new();
        for line in lines {
            match parse(line.as_bytes()) {
                Next::Invalid(why) => writeln!(table, "{why}").unwrap(),
                other => panic!("{line}: {other:?}"),
            }
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn unknown_keys_are_ignored() {
        let Next::Message(message) =
            parse(br#"{"id":"1","later":{"seconds":1,"x":2},"recycle":true,"memory":[1]}"#)
        else {
            panic!("it is a message");
        };
        assert!(message.recycle && message.answer.count() == 1);
    }

    #[test]
    fn a_job_is_one_line_and_its_large_numbers_are_strings() {
        let object = Object {
            name: "in/a\nb\u{7f}é\u{2028}😀".into(),
            generation: i64::MAX,
            ..Object::default()
        };
        let job = Job {
            id: "1".into(),
            path: "/tmp/a".into(),
            output_dir: "/tmp/output".into(),
            scratch: "/tmp/tmp".into(),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            attempt: 1,
            object,
        };
        let line = String::from_utf8(job.line(Duration::from_millis(59_200)).unwrap()).unwrap();
        insta::assert_snapshot!(line);
        assert_eq!(line.find('\n'), Some(line.len() - 1));
    }
}
