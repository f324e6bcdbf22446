//! Contents as backends hand them out and take them.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::Range,
    os::unix::fs::FileExt as _,
    sync::Arc,
    time::SystemTime,
};

use bytes::Bytes;
use tempfile::NamedTempFile;

use crate::{
    digest::Digest,
    refusal::{Kind, Refusal, Result},
};

/// What is read, written and digested at once; and a chunk of a resumable upload that is not the last one is kept in steps of
/// this many bytes.
pub const PIECE: usize = 256 * 1024;

/// The content of an object, or a part of it.
#[derive(Debug)]
pub enum Content {
    /// In memory.
    Bytes(Bytes),
    /// In a file, which is read in pieces.
    File(FilePart),
}

/// A part of an open file. A file that is renamed, replaced or removed meanwhile can still be read.
#[derive(Debug)]
pub struct FilePart {
    file: Source,
    range: Range<u64>,
    /// What shows that the file was changed in place.
    state: (SystemTime, u64),
    /// The checksums of what was read and of the object, when the part is all of it.
    crc32c: Option<(u32, u32)>,
}

#[derive(Debug)]
enum Source {
    Open(File),
    Temporary(Arc<NamedTempFile>),
}

impl Content {
    /// All of it at once.
    pub fn into_bytes(self) -> Result<Bytes> {
        let read = |mut part: FilePart| -> io::Result<Bytes> {
            let mut content = Vec::new();
            while let Some(piece) = part.next_piece()? {
                content.extend_from_slice(&piece);
            }
            Ok(content.into())
        };
        match self {
            Self::Bytes(content) => Ok(content),
            Self::File(part) => read(part).map_err(|error| {
                Refusal::new(Kind::Internal, format!("cannot read an object's file: {error}"))
            }),
        }
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl FilePart {
    /// A part of the file that holds the content of this digest.
    pub fn new(file: File, content: Digest, range: Range<u64>) -> io::Result<Self> {
        let is_whole = range == (0..content.size);
        Ok(Self {
            state: state(&file)?,
            file: Source::Open(file),
            range,
            crc32c: is_whole.then_some((0, content.crc32c)),
        })
    }

    /// All of a finished file that a backend may move to its place.
    pub(crate) fn temporary(file: Arc<NamedTempFile>) -> io::Result<Self> {
        let state = state(file.as_file())?;
        Ok(Self { file: Source::Temporary(file), range: 0..state.1, state, crc32c: None })
    }

    /// The file, if a backend may move it to its place.
    pub fn as_temporary(&self) -> Option<&Arc<NamedTempFile>> {
        match &self.file {
            Source::Temporary(file) => Some(file),
            Source::Open(_) => None,
        }
    }

    /// The next bytes, at most 256 KiB of them; none at the end. The last ones are given when all that was read is known to be
    /// the object's.
    pub fn next_piece(&mut self) -> io::Result<Option<Bytes>> {
        if self.range.is_empty() {
            return Ok(None);
        }
        let length = (PIECE as u64).min(self.range.end - self.range.start);
        let mut piece = vec![0; usize::try_from(length).unwrap_or(PIECE)];
        self.file().read_exact_at(&mut piece, self.range.start)?;
        self.range.start += length;
        if let Some((read, _)) = &mut self.crc32c {
            *read = crc32c::crc32c_append(*read, &piece);
        }
        if self.range.is_empty() {
            self.check()?;
        }
        Ok(Some(piece.into()))
    }

    /// Copies what is left of the part to the end of another file, without its bytes going through this process where the
    /// system can do that.
    pub fn copy_to(self, mut to: &File) -> io::Result<()> {
        let mut from = self.file();
        from.seek(SeekFrom::Start(self.range.start))?;
        let length = self.range.end - self.range.start;
        if io::copy(&mut from.take(length), &mut to)? != length || state(from)? != self.state {
            return Err(changed());
        }
        Ok(())
    }

    fn file(&self) -> &File {
        match &self.file {
            Source::Open(file) => file,
            Source::Temporary(file) => file.as_file(),
        }
    }

    /// A move gives the file another time. All of a content is compared with its checksum instead.
    fn check(&self) -> io::Result<()> {
        let is_same = match self.crc32c {
            Some((read, expected)) => read == expected,
            None => state(self.file())? == self.state,
        };
        if is_same { Ok(()) } else { Err(changed()) }
    }
}

fn state(file: &File) -> io::Result<(SystemTime, u64)> {
    let found = file.metadata()?;
    Ok((found.modified()?, found.len()))
}

fn changed() -> io::Error {
    io::Error::other("the file was changed while it was read")
}
