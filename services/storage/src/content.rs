//! What an object is made of: bytes at hand, or a file that is read piece by piece.

use std::{fs::File, io, os::unix::fs::FileExt as _, sync::Arc};

use bytes::{Bytes, BytesMut};
use tokio::task::spawn_blocking;

/// How much of a file is in memory at once, in bytes.
const PIECE: usize = 256 * 1024;

/// The content of a [`NewObject`](crate::NewObject). Clones are cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A file, which is never in memory as a whole.
    File(FileContent),
}

/// An open file whose size and checksum are known. It must not change until it is stored: the checksum is sent first,
/// and the service refuses what does not match it.
#[derive(Clone, Debug)]
pub struct FileContent {
    file: Arc<File>,
    size: u64,
    crc32c: u32,
}

// === impl Content ===

impl Content {
    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(file) => file.size,
        }
    }

    /// Its CRC32C.
    pub fn crc32c(&self) -> u32 {
        match self {
            Self::Bytes(bytes) => crc32c::crc32c(bytes),
            Self::File(file) => file.crc32c,
        }
    }

    /// All of it in memory; a file is read for that.
    pub async fn into_bytes(self) -> io::Result<Bytes> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::File(file) => {
                let mut whole = BytesMut::new();
                while let Some(piece) = file.piece(whole.len() as u64).await? {
                    whole.extend_from_slice(&piece);
                }
                Ok(whole.freeze())
            }
        }
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl From<FileContent> for Content {
    fn from(file: FileContent) -> Self {
        Self::File(file)
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Bytes(text.into())
    }
}

impl From<&'static str> for Content {
    fn from(text: &'static str) -> Self {
        Self::Bytes(text.into())
    }
}

impl From<&'static [u8]> for Content {
    fn from(bytes: &'static [u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

// === impl FileContent ===

impl FileContent {
    /// Reads the whole file once, piece by piece, for its size and checksum.
    pub async fn new(file: File) -> io::Result<Self> {
        let mut content = Self { file: Arc::new(file), size: 0, crc32c: 0 };
        while let Some(piece) = content.read(content.size).await? {
            content.size += piece.len() as u64;
            content.crc32c = crc32c::crc32c_append(content.crc32c, &piece);
        }
        Ok(content)
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What follows `offset`, at most 256 KiB of it; nothing at the end. A file that was cut meanwhile is an error, and
    /// what was added to it meanwhile is left out.
    pub async fn piece(&self, offset: u64) -> io::Result<Option<Bytes>> {
        let left = self.size.saturating_sub(offset);
        if left == 0 {
            return Ok(None);
        }
        let mut piece = self
            .read(offset)
            .await?
            .ok_or_else(|| io::Error::other("the file became shorter while it was read"))?;
        piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        Ok(Some(piece))
    }

    async fn read(&self, offset: u64) -> io::Result<Option<Bytes>> {
        let file = Arc::clone(&self.file);
        let reading = spawn_blocking(move || {
            let mut piece = vec![0; PIECE];
            let read = loop {
                match file.read_at(&mut piece, offset) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read?,
                }
            };
            piece.truncate(read);
            Ok((read > 0).then(|| Bytes::from(piece)))
        });
        reading.await.map_err(io::Error::other)?
    }
}

impl PartialEq for FileContent {
    /// The same open file; two files of the same bytes are two.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file)
    }
}

impl Eq for FileContent {}

#[cfg(test)]
mod tests {
    use super::*;

    async fn file(content: &[u8]) -> (tempfile::NamedTempFile, FileContent) {
        let named = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(named.path(), content).unwrap();
        let file = FileContent::new(File::open(named.path()).unwrap()).await;
        (named, file.unwrap())
    }

    #[tokio::test]
    async fn a_file_of_several_pieces_is_read_whole() {
        let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let (_named, file) = file(&content).await;
        assert_eq!(file.size(), content.len() as u64);
        let content_of_file = Content::from(file);
        assert_eq!(content_of_file.crc32c(), crc32c::crc32c(&content));
        assert_eq!(content_of_file.clone().into_bytes().await.unwrap(), content);
        assert_eq!(content_of_file.into_bytes().await.unwrap(), content, "and again");
    }

    #[tokio::test]
    async fn a_file_that_was_cut_is_an_error_and_what_was_added_is_left_out() {
        let (named, file) = file(b"0123456789").await;
        std::fs::write(named.path(), "0123456789abc").unwrap();
        assert_eq!(file.piece(8).await.unwrap().unwrap(), "89");
        std::fs::write(named.path(), "01").unwrap();
        assert!(file.piece(8).await.is_err());
    }
}
