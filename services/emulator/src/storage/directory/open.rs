//! Opening a directory as a bucket: whatever is wrong with it shows now, and not at the first upload.

use std::{collections::HashSet, fs, io, path::Path, time::Duration};

use super::{Directory, HIDDEN, files, known::Known, watch::Watch};
use crate::error::StartError;

/// A time that uses all of a microsecond's digits: 2001-09-09 01:46:40.123457 UTC.
const PROBE: i64 = 1_000_000_000_123_457;

impl Directory {
    /// A bucket on `path`, which is made when it is not there.
    pub(crate) fn open(bucket: &str, path: &Path) -> Result<Self, StartError> {
        let wrong = |why: String| StartError::Directory {
            bucket: bucket.to_owned(),
            path: path.to_owned(),
            why,
        };
        fs::create_dir_all(path).map_err(|error| wrong(why_not_made(path, &error)))?;
        let root = path.canonicalize().map_err(|error| wrong(error.to_string()))?;
        prepare(&root).map_err(wrong)?;
        files::remove_unfinished(&root.join(HIDDEN)).map_err(|error| wrong(error.to_string()))?;
        let known = Known::open(root.join(HIDDEN)).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { root, known, watch: None, warned: HashSet::new() })
    }

    /// Lets files of other programs become objects once they have rested for so long; without a time, for what this system needs.
    pub(crate) fn watched(mut self, rest: Option<Duration>) -> Self {
        self.watch = Some(Watch::open(&self.root, rest));
        self
    }
}

fn why_not_made(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        _ if path.is_file() => "it is a file; fix: choose a directory".to_owned(),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a part of the path is a file; fix: choose another path".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied; fix: choose a directory that you can write to".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Makes the hidden directory and tries what every write does.
fn prepare(root: &Path) -> Result<(), String> {
    let hidden = root.join(HIDDEN);
    let unwritable = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            format!("it is not writable ({error}); fix: choose a directory that you can write to")
        }
        io::ErrorKind::AlreadyExists => {
            format!("{HIDDEN} in it is not a directory; fix: move that file away")
        }
        _ => error.to_string(),
    };
    match fs::create_dir(&hidden) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_directory(&hidden) => {}
        made => made.map_err(unwritable)?,
    }
    let file = files::temporary(&hidden).map_err(unwritable)?;
    files::set_generation(file.as_file(), PROBE).map_err(unwritable)?;
    let seen = files::Seen::at(file.path()).map_err(unwritable)?;
    if seen.mtime != PROBE {
        return Err("its file system does not keep times to the microsecond, and generations are such times; fix: choose \
                    another directory, or use a bucket in memory"
            .to_owned());
    }
    Ok(())
}

/// A link would lead out of the data directory.
fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}
