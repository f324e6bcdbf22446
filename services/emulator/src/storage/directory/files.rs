//! What is done with single files.

use std::{
    fs::{self, File, Metadata, Permissions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    ops::Range,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use brigade_model::Content;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// In microseconds.
    pub(super) mtime: i64,
    size: u64,
    /// Files that were replaced within one tick of the clock differ in it.
    inode: u64,
    /// When it last changed in any way, in nanoseconds: a content that was changed under a kept mtime shows in it, and so
    /// does what changes no content.
    changed: (i64, i64),
}

impl Seen {
    /// The plain file at this path; anything else is an error.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        if found.is_file() {
            Self::from_metadata(&found)
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    pub(super) fn from_metadata(found: &Metadata) -> io::Result<Self> {
        let since = found.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            // A file from 1970 or before is as old as any; a generation of 0 would mean that there is none.
            mtime: i64::try_from(since.as_micros()).unwrap_or(i64::MAX).max(1),
            size: found.len(),
            inode: found.ino(),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }

    /// When it last changed in any way, since 1970.
    pub(super) fn changed(self) -> Duration {
        let (seconds, nanos) = self.changed;
        Duration::new(seconds.max(0).unsigned_abs(), u32::try_from(nanos).unwrap_or_default())
    }

    /// Whether it is one file, which may have another name or other rights by now.
    pub(super) fn is_same_file(self, other: Self) -> bool {
        Self { changed: other.changed, ..self } == other
    }
}

/// What the names of temporary files begin with.
const TEMPORARY: &str = ".unfinished-";

/// A file that is not visible yet, with the rights that the user's other files get. Its lock says that it is in use.
pub(super) fn temporary(hidden: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix(TEMPORARY).permissions(Permissions::from_mode(0o666));
    let file = builder.tempfile_in(hidden)?;
    // Without locks the file may be removed under the hands of an emulator, whose write then fails.
    let _ = file.as_file().try_lock();
    Ok(file)
}

/// Removes the temporary files of processes that were killed.
pub(super) fn remove_unfinished(hidden: &Path) -> io::Result<()> {
    for entry in fs::read_dir(hidden)? {
        let entry = entry?;
        let is_temporary = entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes());
        if is_temporary && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// A finished file with this content that is not visible yet.
pub(super) fn store(hidden: &Path, content: Content) -> io::Result<Arc<NamedTempFile>> {
    let part = match content {
        Content::File(part) => part,
        Content::Bytes(content) => {
            let file = temporary(hidden)?;
            file.as_file().write_all(&content)?;
            return Ok(Arc::new(file));
        }
    };
    if let Some(file) = part.as_temporary() {
        return Ok(Arc::clone(file));
    }
    let file = temporary(hidden)?;
    part.copy_to(file.as_file())?;
    Ok(Arc::new(file))
}

/// Keeps a generation as a file's mtime.
pub(super) fn set_generation(file: &File, generation: i64) -> io::Result<()> {
    let since = Duration::from_micros(u64::try_from(generation).unwrap_or_default());
    file.set_modified(UNIX_EPOCH + since)
}

/// A part of a file, at once.
pub(super) fn read(mut file: File, range: Range<u64>) -> io::Result<Bytes> {
    file.seek(SeekFrom::Start(range.start))?;
    let mut content = Vec::new();
    file.take(range.end - range.start).read_to_end(&mut content)?;
    Ok(content.into())
}

/// Moves a file to its place in one step. Without `replace` nothing may be there.
pub(super) fn place(from: &Path, to: &Path, replace: bool) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    if replace { fs::rename(from, to) } else { rename_to_nothing(from, to) }
}

fn rename_to_nothing(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::{
        fs::{CWD, RenameFlags, renameat_with},
        io::Errno,
    };
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems cannot; a second name for the file is refused as well when there is one.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        renamed => Ok(renamed?),
    }
}

/// Removes the directories that a file left empty, but never one at the top.
pub(super) fn prune(root: &Path, file: &Path) {
    for directory in file.ancestors().skip(1) {
        let depth = directory.strip_prefix(root).map_or(0, |below| below.components().count());
        // The system refuses to remove a directory that is not empty.
        if depth < 2 || fs::remove_dir(directory).is_err() {
            return;
        }
    }
}
