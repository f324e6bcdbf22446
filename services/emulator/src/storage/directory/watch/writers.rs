//! Which files below a directory the programs of this user have open for writing, from `/proc`.

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Instant,
};

/// Set in the mode of a link of `/proc/PID/fd` when the file is open for writing: see `proc_pid_fd(5)`.
const WRITABLE: u32 = 0o200;

/// The files that were open at the last look.
#[derive(Debug)]
pub(super) struct Writers {
    root: PathBuf,
    looked: Option<Instant>,
    open: HashSet<PathBuf>,
}

impl Writers {
    /// Nothing where there is no `/proc`.
    pub(super) fn open(root: &Path) -> Option<Self> {
        let has_proc = Path::new("/proc/self/fd").is_dir();
        has_proc.then(|| Self { root: root.to_owned(), looked: None, open: HashSet::new() })
    }

    /// Whether a program has the file open for writing. A look that was before `after` is repeated.
    pub(super) fn have_open(&mut self, path: &Path, after: Instant) -> bool {
        if self.looked.is_none_or(|looked| looked < after) {
            // Before the look: what is opened during it may be missed.
            self.looked = Some(Instant::now());
            self.open = open_below(&self.root).into_iter().flatten().collect();
        }
        self.open.contains(path)
    }
}

/// A process that ends meanwhile, or is of another user, has none.
fn open_below(root: &Path) -> Option<Vec<PathBuf>> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let is_process = process.file_name().as_encoded_bytes()[0].is_ascii_digit();
        let files = if is_process { fs::read_dir(process.path().join("fd")).ok() } else { None };
        for link in files.into_iter().flatten().flatten().map(|entry| entry.path()) {
            if let Ok(file) = fs::read_link(&link)
                && file.starts_with(root)
                && fs::symlink_metadata(&link).is_ok_and(|found| found.mode() & WRITABLE != 0)
            {
                found.push(file);
            }
        }
    }
    Some(found)
}
