//! What identifies a content.

/// What identifies a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Its length in bytes.
    pub size: u64,
    /// Its CRC32C.
    pub crc32c: u32,
    /// Its MD5; a content that was composed has none.
    pub md5: Option<[u8; 16]>,
}

/// Makes the digest of a content that comes in pieces.
#[derive(Clone)]
pub struct Digester {
    size: u64,
    crc32c: u32,
    md5: md5::Context,
}

impl Digest {
    /// The digest of a content.
    pub fn new(content: &[u8]) -> Self {
        let mut digester = Digester::default();
        digester.update(content);
        digester.finish()
    }
}

impl Default for Digest {
    /// The digest of nothing.
    fn default() -> Self {
        Self::new(b"")
    }
}

impl Digester {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.size += piece.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, piece);
        self.md5.consume(piece);
    }

    /// How many bytes it has taken.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The digest of all pieces.
    pub fn finish(self) -> Digest {
        Digest { size: self.size, crc32c: self.crc32c, md5: Some(self.md5.finalize().0) }
    }
}

impl Default for Digester {
    fn default() -> Self {
        Self { size: 0, crc32c: 0, md5: md5::Context::new() }
    }
}
