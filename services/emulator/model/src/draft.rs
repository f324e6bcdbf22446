//! The content of an upload while it arrives.

use std::{fmt, io, os::unix::fs::FileExt as _, sync::Arc};

use bytes::{Buf as _, Bytes, BytesMut};
use tempfile::NamedTempFile;

use crate::{
    content::{Content, FilePart, PIECE},
    digest::{Digest, Digester},
};

/// Makes a temporary file of the backend.
type Create = Box<dyn Fn() -> io::Result<NamedTempFile> + Send>;

/// The content of an upload while it arrives: in memory, or from the first whole piece on in a temporary file, which goes with
/// it.
#[derive(Default)]
pub struct Draft {
    create: Option<Create>,
    file: Option<Arc<NamedTempFile>>,
    /// How many bytes are in the file.
    written: u64,
    /// It has taken the whole pieces.
    digester: Digester,
    /// What is not in the file.
    buffer: BytesMut,
    /// The buffer, once the content was complete.
    complete: Bytes,
}

impl Draft {
    /// A draft in memory.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// A draft in a file that `create` makes when it is needed.
    pub fn on_disk(create: impl Fn() -> io::Result<NamedTempFile> + Send + 'static) -> Self {
        Self { create: Some(Box::new(create)), ..Self::default() }
    }

    /// How many bytes have arrived.
    pub fn size(&self) -> u64 {
        self.written + (self.complete.len() + self.buffer.len()) as u64
    }

    /// Takes bytes; [`settle`](Self::settle) has to follow when the answer is that a piece is whole.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        self.reopen();
        self.buffer.extend_from_slice(bytes);
        self.buffer.len() - self.digested() >= PIECE
    }

    /// Digests and writes the whole pieces.
    pub fn settle(&mut self) -> io::Result<()> {
        let from = self.digested();
        let length = (self.buffer.len() - from) / PIECE * PIECE;
        if let Some(create) = &self.create {
            let file = match &self.file {
                Some(file) => file,
                None => self.file.insert(Arc::new(create()?)),
            };
            file.as_file().write_all_at(&self.buffer[..length], self.written)?;
            self.written += length as u64;
        }
        self.digester.update(&self.buffer[from..from + length]);
        if self.create.is_some() {
            self.buffer.advance(length);
        }
        Ok(())
    }

    /// Forgets what is behind the last whole piece, but none of the first `least` bytes.
    pub fn truncate(&mut self, least: u64) {
        self.reopen();
        let whole = self.size() / PIECE as u64 * PIECE as u64;
        let keep = whole.max(least).saturating_sub(self.written);
        self.buffer.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
    }

    /// The content, which is complete, and its digest.
    pub fn finish(&mut self) -> io::Result<(Content, Digest)> {
        self.reopen();
        let mut digester = self.digester.clone();
        digester.update(&self.buffer[self.digested()..]);
        let content = match &self.file {
            None => {
                self.complete = std::mem::take(&mut self.buffer).freeze();
                Content::Bytes(self.complete.clone())
            }
            Some(file) => {
                file.as_file().write_all_at(&self.buffer, self.written)?;
                file.as_file().set_len(self.size())?;
                Content::File(FilePart::temporary(Arc::clone(file))?)
            }
        };
        Ok((content, digester.finish()))
    }

    /// Lets bytes be added to a content that was complete.
    fn reopen(&mut self) {
        if !self.complete.is_empty() {
            self.buffer = std::mem::take(&mut self.complete).into();
        }
    }

    /// How many bytes of the buffer are digested.
    fn digested(&self) -> usize {
        usize::try_from(self.digester.size() - self.written).unwrap_or(usize::MAX)
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("size", &self.size()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(draft: &mut Draft, bytes: &[u8]) {
        if draft.push(bytes) {
            draft.settle().unwrap();
        }
    }

    #[test]
    fn a_draft_has_the_content_and_the_digest_of_all_that_arrived() {
        let content: Vec<u8> =
            (0..3 * PIECE + 77).map(|at| u8::try_from(at % 251).unwrap()).collect();
        for new in [Draft::in_memory, || Draft::on_disk(NamedTempFile::new)] {
            for step in [1000, PIECE, 2 * PIECE + 1, content.len()] {
                let mut draft = new();
                for bytes in content.chunks(step) {
                    take(&mut draft, bytes);
                }
                // A content that was not accepted can be finished again.
                for _ in 0..2 {
                    let (arrived, digest) = draft.finish().unwrap();
                    assert_eq!(arrived.into_bytes().unwrap(), content);
                    assert_eq!(digest, Digest::new(&content));
                }
            }
        }
    }

    #[test]
    fn a_draft_forgets_no_whole_piece_and_nothing_that_was_acknowledged() {
        for new in [Draft::in_memory, || Draft::on_disk(NamedTempFile::new)] {
            let mut draft = new();
            take(&mut draft, &vec![1; PIECE + 10]);
            draft.truncate(PIECE as u64 + 3);
            take(&mut draft, &[2; 3]);
            let (content, digest) = draft.finish().unwrap();
            let wanted = [vec![1; PIECE + 3], vec![2; 3]].concat();
            assert_eq!(digest, Digest::new(&wanted));
            assert_eq!(content.into_bytes().unwrap(), wanted);
            draft.truncate(0);
            assert_eq!(draft.size(), PIECE as u64);
        }
    }

    #[test]
    fn a_draft_on_disk_is_in_memory_until_a_piece_is_whole_and_takes_its_file_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let files = || std::fs::read_dir(directory.path()).unwrap().count();
        let path = directory.path().to_owned();
        let mut draft = Draft::on_disk(move || NamedTempFile::new_in(&path));
        take(&mut draft, &vec![1; PIECE - 1]);
        assert_eq!(files(), 0);
        take(&mut draft, &[1; 2]);
        assert_eq!(files(), 1);
        assert!(draft.buffer.len() < PIECE);
        drop(draft);
        assert_eq!(files(), 0);
    }
}
