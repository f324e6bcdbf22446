//! What the kernel tells of the files below a directory: it sees programs of other users and containers too.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs, io,
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

/// Each has a name of at most 255 bytes.
const BUFFER: usize = 16 * 1024;

/// What has happened to a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// A program has written to it, and has not closed it.
    Writing,
    /// It was renamed into place; when that was read.
    Moved(Instant),
}

/// The events of every folder below a directory.
#[derive(Debug)]
pub(super) struct Events {
    inotify: OwnedFd,
    folders: HashMap<i32, PathBuf>,
    files: HashMap<PathBuf, State>,
}

struct Event {
    folder: i32,
    flags: ReadFlags,
    cookie: u32,
    name: OsString,
}

impl Events {
    /// Nothing when the system gives no events.
    pub(super) fn open(root: &Path) -> Option<Self> {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        let mut events = Self { inotify, folders: HashMap::new(), files: HashMap::new() };
        events.add(root).ok()?;
        for folder in folders_of(root) {
            let is_hidden = folder.file_name().is_some_and(|name| name.as_bytes()[0] == b'.');
            if !is_hidden {
                events.add_all(&folder);
            }
        }
        Some(events)
    }

    pub(super) fn state(&self, path: &Path) -> Option<State> {
        self.files.get(path).copied()
    }

    /// Reads what has happened since the last time.
    pub(super) fn take_in(&mut self) {
        let mut moving = None;
        for event in self.read() {
            self.apply(event, &mut moving);
        }
    }

    /// Forgets renames that are older than `rest`: the file's mtime says enough then.
    pub(super) fn forget_renames(&mut self, rest: Duration) {
        let is_news = |state: &State| match state {
            State::Writing => true,
            State::Moved(at) => at.elapsed() <= rest,
        };
        self.files.retain(|_, state| is_news(state));
    }

    fn read(&self) -> Vec<Event> {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let mut events = Vec::new();
        // It ends with an error when there are no more.
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
            events.push(Event {
                folder: event.wd(),
                flags: event.events(),
                cookie: event.cookie(),
                name: name.unwrap_or_default(),
            });
        }
        events
    }

    /// `moving` is the rename under way of a file that is being written.
    fn apply(&mut self, event: Event, moving: &mut Option<u32>) {
        let Event { folder, flags, cookie, name } = event;
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            // What was lost may be the end of a write: the writers and the rest decide.
            self.files.clear();
        }
        if flags.contains(ReadFlags::IGNORED) {
            self.folders.remove(&folder);
        }
        let Some(folder) = self.folders.get(&folder) else {
            return;
        };
        let path = folder.join(name);
        if flags.contains(ReadFlags::ISDIR) {
            if flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
                self.add_all(&path);
            }
        } else if flags.contains(ReadFlags::MODIFY) {
            self.files.insert(path, State::Writing);
        } else if flags.contains(ReadFlags::MOVED_TO) {
            let is_written = moving.take() == Some(cookie);
            let state = if is_written { State::Writing } else { State::Moved(Instant::now()) };
            self.files.insert(path, state);
        } else if let Some(State::Writing) = self.files.remove(&path)
            && flags.contains(ReadFlags::MOVED_FROM)
        {
            *moving = Some(cookie);
        }
    }

    /// Watches a folder and all below it. Files of a folder that cannot be watched have to rest.
    fn add_all(&mut self, folder: &Path) {
        if let Err(error) = self.add(folder) {
            tracing::debug!(?folder, %error, "cannot watch a folder");
            return;
        }
        for below in folders_of(folder) {
            self.add_all(&below);
        }
    }

    fn add(&mut self, folder: &Path) -> io::Result<()> {
        let flags = WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW
            | WatchFlags::CREATE
            | WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE;
        let id = inotify::add_watch(&self.inotify, folder, flags)?;
        self.folders.insert(id, folder.to_owned());
        Ok(())
    }
}

fn folders_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}
