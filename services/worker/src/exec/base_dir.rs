//! The directory that holds the directories of all runs of one process, and its removal after that process was killed.
//!
//! It has a lock file, which its owner holds locked for as long as the directory exists: the kernel releases it however the
//! owner ends. A directory whose lock is free has no owner. One without a lock file is of another form, and stays.

use std::{
    env,
    fs::{self, DirEntry, File, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
    thread,
};

use rustix::{fs::OFlags, process::geteuid};
use tempfile::{Builder, TempDir};

use super::removal::remove;

/// Nothing but this worker names a directory so: a whole directory is removed by it.
const PREFIX: &str = "brigade-exec-";
const LOCK: &str = ".brigade-exec-lock";

/// How many directories one start removes at most.
const MAX_REMOVED: usize = 1_000;

/// The one of this process, while a run uses it.
static CURRENT: Mutex<Weak<BaseDir>> = Mutex::new(Weak::new());

/// It is removed with the last run that uses it. The lock is released after that: fields are dropped in this order.
#[derive(Debug)]
pub(super) struct BaseDir {
    directory: TempDir,
    _lock: File,
}

/// A new directory for one run, and the one that it is in.
pub(super) fn create_run() -> io::Result<(TempDir, Arc<BaseDir>)> {
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(base) = current.upgrade() {
        match base.create_below() {
            // Others clean temporary directories, too.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            created => return Ok((created?, base)),
        }
    }
    let base = Arc::new(BaseDir::create_in(&env::temp_dir())?);
    *current = Arc::downgrade(&base);
    Ok((base.create_below()?, base))
}

/// Removes what workers that were killed left in the temporary directory. It may take long, so a thread of its own does it,
/// which delays neither the start nor the end of this process.
pub fn remove_abandoned() {
    let removal = thread::Builder::new().spawn(|| {
        let removed = remove_abandoned_in(&env::temp_dir());
        if removed > 0 {
            tracing::info!(
                removed,
                "removed the temporary directories of workers that were killed"
            );
        }
    });
    if let Err(error) = removal {
        tracing::warn!(%error, "cannot look for the temporary directories of workers that were killed");
    }
}

fn remove_abandoned_in(directory: &Path) -> usize {
    // Without a temporary directory there is nothing to remove, and the first run reports it.
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let own = entries.filter(is_own);
    let removed = own.filter(|entry| {
        let path = entry.path();
        remove_if_abandoned(&path).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "cannot remove the temporary directory of a worker that was killed");
            false
        })
    });
    removed.take(MAX_REMOVED).count()
}

/// Whether it is a directory of this account with such a name. Links are not followed.
fn is_own(entry: &DirEntry) -> bool {
    let named = entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes());
    let uid = geteuid().as_raw();
    named && entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == uid)
}

/// Removes a directory whose lock is free, and holds the lock meanwhile, so that of several starts one removes it.
fn remove_if_abandoned(directory: &Path) -> io::Result<bool> {
    let path = directory.join(LOCK);
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let lock = match OpenOptions::new().read(true).write(true).custom_flags(flags).open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        lock => lock?,
    };
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
        // Another may have removed it before, and a new one may have got its name.
        Ok(()) if !is_at(&lock, &path)? => return Ok(false),
        Ok(()) => {}
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    // The lock file goes last: what is left of a removal that was cut short is removed by the next start.
    fs::remove_dir_all(directory)?;
    Ok(true)
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let there = fs::symlink_metadata(path).map(|there| (there.dev(), there.ino())).ok();
    let here = file.metadata()?;
    Ok(there == Some((here.dev(), here.ino())))
}

// === impl BaseDir ===

impl BaseDir {
    fn create_in(parent: &Path) -> io::Result<Self> {
        let directory = private().prefix(PREFIX).tempdir_in(parent)?;
        let unlocked = directory.path().join("lock.new");
        let lock = File::create_new(&unlocked)?;
        // It gets its name once it is locked: no start ever sees a free lock of a living owner. Where the file system has no
        // locks the directory is one that no start removes.
        if lock.try_lock().is_ok() {
            fs::rename(&unlocked, directory.path().join(LOCK))?;
        }
        Ok(Self { directory, _lock: lock })
    }

    fn create_below(&self) -> io::Result<TempDir> {
        private().prefix("").tempdir_in(self.directory.path())
    }
}

fn private() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.permissions(Permissions::from_mode(0o700));
    builder
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// What a killed process leaves: its lock is released, and nothing is removed.
    fn abandoned(parent: &Path) -> std::path::PathBuf {
        let BaseDir { directory, .. } = BaseDir::create_in(parent).unwrap();
        let run = private().tempdir_in(directory.path()).unwrap().keep();
        fs::create_dir(run.join("output")).unwrap();
        fs::write(run.join("output/a"), "x").unwrap();
        fs::set_permissions(run.join("output"), Permissions::from_mode(0o500)).unwrap();
        directory.keep()
    }

    /// Removes so many. A program that another test starts at this moment has each lock until it is executed.
    fn remove_all(parent: &Path, count: usize) {
        let mut removed = 0;
        while removed < count {
            removed += remove_abandoned_in(parent);
        }
        assert_eq!(removed, count);
    }

    #[test]
    fn of_directories_those_whose_lock_is_free_are_removed_and_no_others() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        let gone = [abandoned(temp.path()), abandoned(temp.path())];
        let living = BaseDir::create_in(temp.path()).unwrap();
        let run = living.create_below().unwrap();
        // The form of older versions, another program's, and a link to a directory that has a free lock.
        fs::create_dir_all(at("brigade-old/input")).unwrap();
        fs::create_dir(at("other")).unwrap();
        fs::write(at("other/lock"), "").unwrap();
        symlink(at("other"), at("brigade-link")).unwrap();
        fs::write(at("brigade-file"), "").unwrap();
        remove_all(temp.path(), 2);
        assert!(gone.iter().all(|path| !path.exists()));
        for name in ["brigade-old/input", "other/lock", "brigade-link", "brigade-file"] {
            assert!(at(name).exists(), "{name}");
        }
        assert!(run.path().exists() && living.directory.path().join(LOCK).exists());
        assert_eq!(remove_abandoned_in(temp.path()), 0);
    }

    #[test]
    fn a_removal_that_was_cut_short_is_continued() {
        let temp = tempfile::tempdir().unwrap();
        let path = abandoned(temp.path());
        for entry in fs::read_dir(&path).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                remove(&entry.path()).unwrap();
            }
        }
        remove_all(temp.path(), 1);
        assert!(!path.exists());
    }

    #[test]
    fn of_starts_at_the_same_time_one_removes_each_directory_and_none_that_is_being_created() {
        let temp = tempfile::tempdir().unwrap();
        for _ in 0..50 {
            abandoned(temp.path());
        }
        let removed: usize = thread::scope(|scope| {
            let starts: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let own: Vec<_> =
                            (0..20).map(|_| BaseDir::create_in(temp.path()).unwrap()).collect();
                        let removed = remove_abandoned_in(temp.path());
                        assert!(own.iter().all(|own| own.directory.path().join(LOCK).exists()));
                        removed
                    })
                })
                .collect();
            starts.into_iter().map(|start| start.join().unwrap()).sum()
        });
        remove_all(temp.path(), 50 - removed);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_lock_is_not_inherited_by_a_program() {
        let temp = tempfile::tempdir().unwrap();
        let base = BaseDir::create_in(temp.path()).unwrap();
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let BaseDir { directory, _lock: lock } = base;
        assert!(directory.keep().exists());
        drop(lock);
        remove_all(temp.path(), 1);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
