//! Checksums of files, computed once for each generation.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use super::files::Seen;
use brigade_model::Digest;

/// How often a file that changes while it is read is tried again.
const TRIES: usize = 3;

const PIECE: usize = 256 * 1024;

/// Known checksums, by name and state of the file.
#[derive(Debug, Default)]
pub(super) struct Digests(HashMap<String, (Seen, Digest)>);

impl Digests {
    /// The file's checksums; nothing when it does not stand still while it is read.
    pub(super) fn digest(
        &mut self,
        name: &str,
        path: &Path,
        seen: Seen,
    ) -> io::Result<Option<Digest>> {
        if let Some((of, digest)) = self.0.get(name)
            && *of == seen
        {
            return Ok(Some(*digest));
        }
        for _ in 0..TRIES {
            let digest = compute(path)?;
            if Seen::at(path)? == seen {
                self.0.insert(name.to_owned(), (seen, digest));
                return Ok(Some(digest));
            }
        }
        Ok(None)
    }

    /// Keeps what is known of a file that was just written.
    pub(super) fn know(&mut self, name: &str, path: &Path, digest: Digest) {
        if let Ok(seen) = Seen::at(path) {
            self.0.insert(name.to_owned(), (seen, digest));
        }
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }
}

fn compute(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut md5 = md5::Context::new();
    let mut digest = Digest { size: 0, crc32c: 0, md5: None };
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            digest.md5 = Some(md5.finalize().0);
            return Ok(digest);
        }
        let read = &piece[..read];
        md5.consume(read);
        digest.crc32c = crc32c::crc32c_append(digest.crc32c, read);
        digest.size += read.len() as u64;
    }
}
