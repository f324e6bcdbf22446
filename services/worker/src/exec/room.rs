//! The private directory of one run.

use std::{
    error::Error as _,
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{self, Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    runtime::Handle,
    sync::OwnedSemaphorePermit,
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use super::{TRY_AGAIN, program};
use crate::{
    error::{ProcessError, is_exhausted},
    job::Job,
};

/// How long an answer waits for its directory to be gone.
const TIDYING: Duration = Duration::from_secs(1);

const MEND: &str = "let TMPDIR name a directory that it can write to";

/// The private directory of one run. It is removed when this is dropped, and nobody's answer or heartbeat waits for that:
/// a program may leave as many files as it likes, and the threads that serve have other things to do.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) file: PathBuf,
    pub(super) output: PathBuf,
    pub(super) scratch: PathBuf,
    /// None when it is on its way out already.
    contents: Option<Contents>,
}

/// What is given back last: the job's place is not free before its disk is.
#[derive(Debug)]
struct Contents {
    directory: TempDir,
    slot: Arc<OwnedSemaphorePermit>,
}

// === impl Room ===

impl Room {
    pub(super) async fn of(job: &Job) -> Result<Self, ProcessError> {
        let (file, slot) = (program::file_name(job.file_name()), job.slot());
        let made = spawn_blocking(move || Self::new(&file, slot)).await;
        made.map_err(io::Error::other)
            .flatten()
            .map_err(|error| no_room(&error))
    }

    fn new(file: &str, slot: Arc<OwnedSemaphorePermit>) -> io::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("brigade-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()?;
        // Absolute, so that it never looks like an option.
        let root = path::absolute(directory.path())?;
        let input = below(&root, "input")?;
        Ok(Self {
            file: input.join(file),
            output: below(&root, "output")?,
            scratch: below(&root, "tmp")?,
            contents: Some(Contents { directory, slot }),
        })
    }

    /// Removes it, before the answer if that is soon done. A caller who comes again at once finds the place free then.
    pub(super) async fn leave(mut self, remaining: Duration) {
        if let Some(removal) = self.removal() {
            // It goes on by itself.
            let _ = timeout(TIDYING.min(remaining / 2), removal).await;
        }
    }

    /// On a thread where it may take its time. Without a runtime there is nobody to keep waiting.
    fn removal(&mut self) -> Option<JoinHandle<()>> {
        let contents = self.contents.take()?;
        let Ok(runtime) = Handle::try_current() else {
            contents.remove();
            return None;
        };
        Some(runtime.spawn_blocking(move || contents.remove()))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        drop(self.removal());
    }
}

// === impl Contents ===

impl Contents {
    fn remove(self) {
        let Self { directory, slot } = self;
        let path = directory.path().to_owned();
        if let Err(error) = remove(&path) {
            tracing::warn!(path = %path.display(), %error, "a run's temporary directory stays behind");
        }
        // It is gone, or cannot be removed.
        drop(directory);
        drop(slot);
    }
}

/// A program may leave directories that nobody may write to, as a cache of modules has them.
fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(directory)?;
            fs::remove_dir_all(directory)
        }
        done => done,
    }
}

/// Lets the owner change every directory. Links are not followed.
fn open_up(directory: &Path) -> io::Result<()> {
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        fs::set_permissions(&next, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
        }
    }
    Ok(())
}

fn below(root: &Path, name: &str) -> io::Result<PathBuf> {
    let path = root.join(name);
    DirBuilder::new().mode(0o700).create(&path)?;
    Ok(path)
}

/// No place for temporary files is no object's fault. What is full heals.
pub(super) fn no_room(error: &io::Error) -> ProcessError {
    let message = format!("the worker cannot make a temporary directory: {error}");
    if is_exhausted(error) {
        ProcessError::busy_for(TRY_AGAIN, message)
    } else {
        ProcessError::misconfigured(format!("{message}; {MEND}"))
    }
}

/// Nor is a disk that takes no copy. One that is full may be so of this very object, which counts as an attempt.
pub(super) fn no_copy(error: ProcessError) -> ProcessError {
    match error.source().and_then(|source| source.downcast_ref()) {
        Some(cause) if !is_exhausted(cause) => ProcessError::misconfigured(format!(
            "the worker cannot keep a copy of the object: {cause}; {MEND}"
        )),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tokio::sync::Semaphore;

    use super::*;
    use crate::{error::ErrorKind, fixtures::busy};

    fn room(places: &Arc<Semaphore>) -> (Room, PathBuf) {
        let slot = Arc::clone(places).try_acquire_owned().unwrap();
        let room = Room::new("a", Arc::new(slot)).unwrap();
        for n in 0..100 {
            fs::write(room.scratch.join(n.to_string()), "x").unwrap();
        }
        let whole = room.file.ancestors().nth(2).unwrap().to_owned();
        assert!(whole.is_dir());
        (room, whole)
    }

    #[test]
    fn a_room_that_is_dropped_is_removed_by_another_thread_and_keeps_its_place_until_then() {
        let (runtime, go) = busy();
        let places = Arc::new(Semaphore::new(1));
        runtime.block_on(async {
            let (room, whole) = room(&places);
            drop(room);
            tokio::task::yield_now().await;
            assert!(whole.exists(), "the task went on at once");
            assert_eq!(places.available_permits(), 0);
            go.send(()).unwrap();
            let place = places.acquire().await.unwrap();
            assert!(!whole.exists());
            drop(place);
        });
    }

    #[test]
    fn an_answer_waits_for_its_room_to_be_gone_but_not_for_long() {
        let (runtime, go) = busy();
        let places = Arc::new(Semaphore::new(2));
        runtime.block_on(async {
            tokio::time::pause();
            let (slow, whole) = room(&places);
            // Time that stands still while a blocking thread is at work would wait for it.
            let ticker = tokio::spawn(async {
                loop {
                    tokio::time::advance(Duration::from_millis(100)).await;
                }
            });
            slow.leave(Duration::from_hours(1)).await;
            assert!(whole.exists());
            ticker.abort();
            tokio::time::resume();
            go.send(()).unwrap();
            let (quick, gone) = room(&places);
            // After the slow one, as there is one thread.
            quick.leave(Duration::MAX).await;
            assert!(!gone.exists() && !whole.exists());
            assert_eq!(places.available_permits(), 2);
        });
    }

    #[test]
    fn a_disk_that_is_full_or_broken_blames_no_object() {
        use rustix::io::Errno;
        let raw = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        let room = |errno| no_room(&raw(errno)).kind();
        let copy = |errno| no_copy(ProcessError::from(raw(errno))).kind();
        assert_eq!(room(Errno::NOSPC), ErrorKind::Busy);
        assert_eq!(room(Errno::ACCESS), ErrorKind::Misconfigured);
        assert_eq!(copy(Errno::NOSPC), ErrorKind::Unavailable);
        for errno in [Errno::ROFS, Errno::IO, Errno::NOENT, Errno::ACCESS] {
            assert_eq!(copy(errno), ErrorKind::Misconfigured, "{errno}");
        }
        let refused = no_copy(ProcessError::refuse("it is too large"));
        assert_eq!(refused.kind(), ErrorKind::Refused);
    }

    #[test]
    fn a_room_that_is_dropped_after_the_runtime_is_removed_all_the_same() {
        let places = Arc::new(Semaphore::new(1));
        let (room, whole) = room(&places);
        drop(room);
        assert!(!whole.exists());
        assert_eq!(places.available_permits(), 1);
    }

    #[test]
    fn directories_that_nobody_may_write_to_are_opened_and_what_links_lead_to_is_not() {
        let places = Arc::new(Semaphore::new(1));
        let (room, whole) = room(&places);
        let outside = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let shut = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o500)).unwrap();
        let deep = room.scratch.join("mod/cache");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("file"), "x").unwrap();
        symlink(outside.path(), deep.join("link")).unwrap();
        for path in [&deep, deep.parent().unwrap(), &room.scratch, outside.path()] {
            shut(path);
        }
        // Whoever runs as root is refused nothing; so the opening is looked at, too.
        open_up(&whole).unwrap();
        assert_eq!((mode(&deep), mode(outside.path())), (0o700, 0o500));
        shut(&deep);
        remove(&whole).unwrap();
        assert!(!whole.exists() && outside.path().exists());
    }
}
