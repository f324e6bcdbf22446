//! What is done with single files.

use std::{
    fs::{self, File, Metadata, Permissions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    ops::Range,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use tempfile::NamedTempFile;

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its mtime in microseconds.
    pub(super) generation: i64,
    size: u64,
    /// Files that were replaced within one tick of the clock differ in it.
    inode: u64,
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
            generation: i64::try_from(since.as_micros()).unwrap_or(i64::MAX).max(1),
            size: found.len(),
            inode: found.ino(),
        })
    }
}

/// A file that is not visible yet, with the rights that the user's other files get.
pub(super) fn temporary(hidden: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(hidden)
}

/// Writes the content, and the generation as the file's mtime.
pub(super) fn fill(file: &NamedTempFile, content: &[u8], generation: i64) -> io::Result<()> {
    file.as_file().write_all(content)?;
    file.as_file().set_modified(to_time(generation))
}

/// Gives a file another generation.
pub(super) fn set_generation(path: &Path, generation: i64) -> io::Result<()> {
    File::open(path)?.set_modified(to_time(generation))
}

fn to_time(generation: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(u64::try_from(generation).unwrap_or_default())
}

/// A part of a file.
pub(super) fn read(path: &Path, range: Range<u64>) -> io::Result<Bytes> {
    let mut file = File::open(path)?;
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
