//! The private directory of one run.

use std::{
    error::Error as _,
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt as _,
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

use super::{
    answer::RETRY_AFTER,
    base_dir::{self, BaseDir},
    removal::remove_or_warn,
};
use crate::{
    error::{ProcessError, is_exhausted},
    job::Job,
};

/// How long an answer waits for the removal of its directory.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(1);

const HINT: &str = "set TMPDIR to a directory that the worker can write to";

/// The private directory of one run. It is removed when this is dropped, on a blocking thread: a program may leave very many
/// files.
#[derive(Debug)]
pub(super) struct WorkDir {
    pub(super) file: PathBuf,
    pub(super) output: PathBuf,
    pub(super) scratch: PathBuf,
    /// Where a program may write its answer. It does not exist at first.
    pub(super) answer: PathBuf,
    /// None once its removal has begun.
    contents: Option<Contents>,
}

/// The directory, the one that it is in, and the job's slot, which is released after both are removed: fields are dropped in this order.
#[derive(Debug)]
struct Contents {
    directory: TempDir,
    _base: Arc<BaseDir>,
    _slot: Arc<OwnedSemaphorePermit>,
}

// === impl WorkDir ===

impl WorkDir {
    pub(super) async fn create(job: &Job) -> Result<Self, ProcessError> {
        let (file, slot) = (file_name(job.file_name()), job.slot());
        let made = spawn_blocking(move || Self::new(&file, slot)).await;
        let made = made.map_err(io::Error::other).flatten();
        made.map_err(|error| cannot_create(&error))
    }

    fn new(file: &str, slot: Arc<OwnedSemaphorePermit>) -> io::Result<Self> {
        let (directory, base) = base_dir::create_run()?;
        // Absolute, so that it never looks like an option.
        let root = path::absolute(directory.path())?;
        let input = create_below(&root, "input")?;
        Ok(Self {
            file: input.join(file),
            output: create_below(&root, "output")?,
            scratch: create_below(&root, "tmp")?,
            answer: root.join("answer.json"),
            contents: Some(Contents { directory, _base: base, _slot: slot }),
        })
    }

    /// Removes it, before the answer if that is quick. Then a caller that calls again at once finds the slot free.
    pub(super) async fn cleanup(mut self, remaining: Duration) {
        if let Some(removal) = self.removal() {
            // The removal continues by itself.
            let _ = timeout(CLEANUP_TIMEOUT.min(remaining / 2), removal).await;
        }
    }

    /// Removes it on a blocking thread; without a runtime on this thread.
    fn removal(&mut self) -> Option<JoinHandle<()>> {
        let contents = self.contents.take()?;
        let Ok(runtime) = Handle::try_current() else {
            contents.remove();
            return None;
        };
        Some(runtime.spawn_blocking(move || contents.remove()))
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        drop(self.removal());
    }
}

// === impl Contents ===

impl Contents {
    fn remove(self) {
        remove_or_warn(self.directory.path(), "run");
    }
}

fn create_below(root: &Path, name: &str) -> io::Result<PathBuf> {
    let path = root.join(name);
    DirBuilder::new().mode(0o700).create(&path)?;
    Ok(path)
}

/// A missing temporary directory is not the object's fault. A full disk passes with time.
pub(super) fn cannot_create(error: &io::Error) -> ProcessError {
    let message = format!("the worker cannot create a temporary directory: {error}");
    if is_exhausted(error) {
        ProcessError::busy_for(RETRY_AFTER, message)
    } else {
        ProcessError::misconfigured(format!("{message}; {HINT}"))
    }
}

/// Nor is a disk that accepts no copy. A full one may be full with this very object, which counts as an attempt.
pub(super) fn cannot_copy(error: ProcessError) -> ProcessError {
    match error.source().and_then(|source| source.downcast_ref()) {
        Some(cause) if !is_exhausted(cause) => ProcessError::misconfigured(format!(
            "the worker cannot store a copy of the object: {cause}; {HINT}"
        )),
        _ => error,
    }
}

/// A file name that keeps the extension and is harmless everywhere: only its letters, digits, dots, dashes
/// and underscores, never beginning with a dash or a dot.
fn file_name(name: &str) -> String {
    const MAX: usize = 100;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let cleaned = name.chars().map(|c| if plain(c) { c } else { '_' });
    let cleaned: String = cleaned.collect();
    // The end is kept: that is where the extension is.
    let kept = &cleaned[cleaned.len().saturating_sub(MAX)..];
    match kept.trim_start_matches(['.', '-']) {
        "" => "object".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use tokio::sync::Semaphore;

    use super::*;
    use crate::{
        error::ErrorKind,
        exec::removal::{make_writable, remove},
        tests::fixtures::one_busy_blocking_thread,
    };

    fn work_dir(places: &Arc<Semaphore>) -> (WorkDir, PathBuf) {
        let slot = Arc::clone(places).try_acquire_owned().unwrap();
        let work_dir = WorkDir::new("a", Arc::new(slot)).unwrap();
        for n in 0..100 {
            fs::write(work_dir.scratch.join(n.to_string()), "x").unwrap();
        }
        let whole = work_dir.file.ancestors().nth(2).unwrap().to_owned();
        assert!(whole.is_dir());
        (work_dir, whole)
    }

    #[test]
    fn a_room_that_is_dropped_is_removed_by_another_thread_and_keeps_its_place_until_then() {
        let (runtime, go) = one_busy_blocking_thread();
        let places = Arc::new(Semaphore::new(1));
        runtime.block_on(async {
            let (work_dir, whole) = work_dir(&places);
            drop(work_dir);
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
        let (runtime, go) = one_busy_blocking_thread();
        let places = Arc::new(Semaphore::new(2));
        runtime.block_on(async {
            tokio::time::pause();
            let (slow, whole) = work_dir(&places);
            // Time that stands still while a blocking thread is at work would wait for it.
            let ticker = tokio::spawn(async {
                loop {
                    tokio::time::advance(Duration::from_millis(100)).await;
                }
            });
            slow.cleanup(Duration::from_hours(1)).await;
            assert!(whole.exists());
            ticker.abort();
            tokio::time::resume();
            go.send(()).unwrap();
            let (quick, gone) = work_dir(&places);
            // After the slow one, as there is one thread.
            quick.cleanup(Duration::MAX).await;
            assert!(!gone.exists() && !whole.exists());
            assert_eq!(places.available_permits(), 2);
        });
    }

    #[test]
    fn a_disk_that_is_full_or_broken_blames_no_object() {
        use rustix::io::Errno;
        let raw = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        let work_dir = |errno| cannot_create(&raw(errno)).kind();
        let copy = |errno| cannot_copy(ProcessError::from(raw(errno))).kind();
        assert_eq!(work_dir(Errno::NOSPC), ErrorKind::Busy);
        assert_eq!(work_dir(Errno::ACCESS), ErrorKind::Misconfigured);
        assert_eq!(copy(Errno::NOSPC), ErrorKind::Unavailable);
        for errno in [Errno::ROFS, Errno::IO, Errno::NOENT, Errno::ACCESS] {
            assert_eq!(copy(errno), ErrorKind::Misconfigured, "{errno}");
        }
        let refused = cannot_copy(ProcessError::refuse("it is too large"));
        assert_eq!(refused.kind(), ErrorKind::Refused);
    }

    #[test]
    fn a_room_that_is_dropped_after_the_runtime_is_removed_all_the_same() {
        let places = Arc::new(Semaphore::new(1));
        let (work_dir, whole) = work_dir(&places);
        drop(work_dir);
        assert!(!whole.exists());
        assert_eq!(places.available_permits(), 1);
    }

    #[test]
    fn directories_that_nobody_may_write_to_are_opened_and_what_links_lead_to_is_not() {
        let places = Arc::new(Semaphore::new(1));
        let (work_dir, whole) = work_dir(&places);
        let outside = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let shut = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o500)).unwrap();
        let deep = work_dir.scratch.join("mod/cache");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("file"), "x").unwrap();
        symlink(outside.path(), deep.join("link")).unwrap();
        for path in [&deep, deep.parent().unwrap(), &work_dir.scratch, outside.path()] {
            shut(path);
        }
        // As root nothing is refused, so the modes are checked, too.
        make_writable(&whole).unwrap();
        assert_eq!((mode(&deep), mode(outside.path())), (0o700, 0o500));
        shut(&deep);
        remove(&whole).unwrap();
        assert!(!whole.exists() && outside.path().exists());
    }

    #[test]
    fn file_names_are_harmless_and_keep_their_extension() {
        assert_eq!(file_name("night 1.csv"), "night_1.csv");
        assert_eq!(file_name("-rf"), "rf");
        assert_eq!(file_name(".."), "object");
        assert!(file_name(&"x".repeat(1000)).len() <= 100);
    }

    proptest::proptest! {
        #[test]
        fn any_name_gives_a_plain_file_name(name in "\\PC{0,300}") {
            let file = file_name(&name);
            proptest::prop_assert!(!file.is_empty() && file.len() <= 100 && !file.starts_with(['-', '.']));
            proptest::prop_assert!(file.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)));
        }
    }
}
