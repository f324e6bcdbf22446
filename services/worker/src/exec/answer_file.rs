//! `ANSWER_FILE`: where a program that runs once for each object may write an answer in words.

use std::{
    fs::OpenOptions,
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use tokio::task::spawn_blocking;

use super::answer::Answer;

/// Bytes of an answer.
const MAX_BYTES: u64 = 64 * 1_024;

/// The answer that is there. What is none is logged.
pub(super) async fn read(path: &Path, object: &str) -> Option<Answer> {
    let path = PathBuf::from(path);
    let read = spawn_blocking(move || read_now(&path)).await;
    let read = read.map_err(|error| error.to_string()).flatten();
    let logged = |why| {
        tracing::warn!(object, %why, "ANSWER_FILE is no answer, so the exit status counts; docs/PROTOCOL.md has the form");
    };
    read.map_err(logged).ok().flatten()
}

pub(super) fn read_now(path: &Path) -> Result<Option<Answer>, String> {
    let contents = contents(path).map_err(|error| format!("it cannot be read: {error}"))?;
    contents.map(|contents| parse(&contents)).transpose()
}

/// Whatever the program left there is read no further than a file of that size, and opened without waiting.
fn contents(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut contents = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut contents)?;
    Ok(Some(contents))
}

fn parse(contents: &[u8]) -> Result<Answer, String> {
    if contents.len() as u64 > MAX_BYTES {
        return Err("it has more than 64 KiB".to_owned());
    }
    let answer: Answer = serde_json::from_slice(contents).map_err(|error| error.to_string())?;
    match answer.count() {
        1 => Ok(answer),
        count => Err(format!(
            "it has {count} of accept, refuse, later and misconfigured; expected exactly one"
        )),
    }
}
