//! Objects as files of a directory: a file dropped in is an object, its path is the name, its mtime in microseconds the
//! generation.
//!
//! The generations of a name rise, as Cloud Storage's do: a file that takes the place of another with an older or equal
//! mtime (`cp -p`, `rsync -t`, `touch -d`), or that comes back after a deletion, is of the generation after the last. Its
//! mtime stays as it is. A restart keeps such a generation, and the last of each name that has metadata. What it forgets
//! is the last generation of a name without metadata: a file that replaced that one with an older mtime while no emulator
//! ran, or after a deletion and a restart, is of the generation that its mtime says.
//!
//! A file that another program drops is an object once it has rested, when that is asked for: see [`watch`].
//!
//! What a file cannot hold itself is stored in a hidden directory beside the data, bound to name and generation: a file that
//! is changed by hand is a new generation with fresh metadata. Writes are a rename of a finished file, which was written
//! in pieces, and a rename never replaces what the caller did not mean to. Links are never followed: nothing outside the
//! directory is read or written.

mod files;
mod known;
mod open;
mod path;
mod sidecar;
#[cfg(test)]
mod tests;
mod walk;
mod watch;

use std::{
    collections::HashSet,
    fs::File,
    io,
    ops::Range,
    path::{Path, PathBuf},
    time::Instant,
};

use self::{
    files::Seen,
    known::{Known, Live},
    watch::{Watch, is_dropping},
};
use brigade_model::{
    Attributes, Backend, BeingWritten, Content, Draft, FilePart, Kind, Object, PIECE, Refusal,
    Result,
};

/// The hidden directory. Nothing in it is an object.
const HIDDEN: &str = ".brigade-emulator";

/// Where Bucket Brigade keeps its leases: emulators alone write there.
const LEASES: &str = ".brigade/";

/// Logged once for each of them.
const DROPPING: &str = "left a file alone: editors, browsers and desktops give such names to files of their own; fix: if it \
                        is yours, rename it";

/// A bucket on a directory.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    known: Known,
    /// Without it, a file is an object at once.
    watch: Option<Watch>,
    /// Files that were complained about, so that each is once.
    warned: HashSet<PathBuf>,
}

impl Directory {
    fn hidden(&self) -> PathBuf {
        self.root.join(HIDDEN)
    }

    /// Keeps what is known of an object that is now at `path`, and forgets the one it replaced.
    fn settle(&mut self, object: &Object, path: &Path, replaced: Option<&Object>) {
        self.known.wrote(object, path);
        if let Some(replaced) = replaced {
            self.forget(replaced);
        }
    }

    /// Removes the notes on an object that is no more.
    fn forget(&self, object: &Object) {
        sidecar::remove(&self.hidden(), &object.name, object.generation);
    }

    /// The plain file at a name, if there is one that stands still, and what object it is.
    fn file(&mut self, name: &str) -> io::Result<Option<Live>> {
        let Ok(path) = path::resolve(&self.root, name) else {
            return Ok(None);
        };
        let Ok(seen) = Seen::at(&path) else {
            self.known.gone(name);
            return Ok(None);
        };
        if self.watch.is_none() || name.starts_with(LEASES) || self.is_written(name, seen) {
            return self.known.look(name, path, seen);
        }
        if is_dropping(name) {
            if self.warned.insert(path) {
                tracing::warn!(name = %name.escape_debug(), "{DROPPING}");
            }
            return Ok(None);
        }
        self.dropped(name, path, seen)
    }

    /// Whether the file is an object already, or an emulator wrote it.
    fn is_written(&self, name: &str, seen: Seen) -> bool {
        self.known.has(name, seen) || sidecar::read(&self.hidden(), name, seen.mtime).is_some()
    }

    /// The object that another program's file is, if it has rested.
    fn dropped(&mut self, name: &str, path: PathBuf, seen: Seen) -> io::Result<Option<Live>> {
        let has_rested = self.watch.as_mut().is_none_or(|watch| watch.has_rested(&path, seen));
        let found = if has_rested { self.known.look(name, path, seen) } else { Ok(None) };
        if let Some(watch) = &mut self.watch {
            if matches!(found, Ok(None)) {
                watch.waiting.entry(name.to_owned()).or_insert_with(Instant::now);
            } else {
                watch.waiting.remove(name);
            }
        }
        found
    }

    /// The file of exactly this object; changed by hand in between, it is another one.
    fn file_of(&mut self, object: &Object) -> Result<Live> {
        match self.file(&object.name) {
            Ok(Some(live)) if live.generation == object.generation => Ok(live),
            _ => Err(changed(&object.name)),
        }
    }
}

impl Backend for Directory {
    fn names(&mut self, prefix: &str, from: &str, limit: usize) -> Result<Vec<String>> {
        if let Some(watch) = &mut self.watch {
            watch.catch_up();
        }
        walk::names(&self.root, prefix, from, limit, &mut self.warned)
    }

    fn look(&mut self, name: &str) -> Result<Option<Object>> {
        let live = match self.file(name) {
            Ok(Some(live)) => live,
            // None, or one that is still being written.
            Ok(None) => return Ok(None),
            Err(error) => {
                if self.warned.insert(self.root.join(name)) {
                    tracing::warn!(name = %name.escape_debug(), %error, "skipped a file that cannot be read");
                }
                return Ok(None);
            }
        };
        let mut object = Object::new(name, live.generation, live.digest, Attributes::default());
        if let Some(notes) = sidecar::read(&self.hidden(), name, live.generation) {
            notes.apply(&mut object);
        }
        Ok(Some(object))
    }

    fn last_generation(&self, name: &str) -> i64 {
        self.known.last(name)
    }

    fn read(&mut self, object: &Object, range: Range<u64>) -> Result<Content> {
        let Live { path, seen, .. } = self.file_of(object)?;
        let failed = |error: io::Error| failed("read", &object.name, &error);
        let file = File::open(&path).map_err(failed)?;
        if Seen::from_metadata(&file.metadata().map_err(failed)?).map_err(failed)? != seen {
            return Err(changed(&object.name));
        }
        if range.end - range.start > PIECE as u64 {
            return FilePart::new(file, object.digest(), range).map(Content::File).map_err(failed);
        }
        let content = files::read(file, range).map_err(failed)?;
        // What was changed while it was read is not this object's content.
        self.file_of(object)?;
        Ok(Content::Bytes(content))
    }

    fn draft(&self) -> Draft {
        let hidden = self.hidden();
        Draft::on_disk(move || files::temporary(&hidden))
    }

    fn check_name(&self, name: &str) -> Result<()> {
        path::check_writable(&self.root, name)
    }

    fn write(
        &mut self,
        object: &Object,
        content: Content,
        replaced: Option<&Object>,
    ) -> Result<()> {
        let path = path::resolve(&self.root, &object.name)?;
        if let Some(replaced) = replaced {
            self.file_of(replaced)?;
        }
        let hidden = self.hidden();
        let write = || -> io::Result<()> {
            let file = files::store(&hidden, content)?;
            files::set_generation(file.as_file(), object.generation)?;
            sidecar::write(&hidden, object, None)?;
            files::place(file.path(), &path, replaced.is_some())
        };
        if let Err(error) = write() {
            self.forget(object);
            return Err(failed("write", &object.name, &error));
        }
        self.settle(object, &path, replaced);
        Ok(())
    }

    fn annotate(&mut self, object: &Object) -> Result<()> {
        let live = self.file_of(object)?;
        sidecar::write(&self.hidden(), object, Some(live.seen))
            .map_err(|error| failed("write the metadata of", &object.name, &error))
    }

    fn rename(&mut self, source: &Object, moved: &Object, replaced: Option<&Object>) -> Result<()> {
        let Live { path: from, seen, .. } = self.file_of(source)?;
        let to = path::resolve(&self.root, &moved.name)?;
        if let Some(replaced) = replaced {
            self.file_of(replaced)?;
        }
        let hidden = self.hidden();
        let failed = |error: io::Error| {
            sidecar::remove(&hidden, &moved.name, moved.generation);
            failed("move", &source.name, &error)
        };
        sidecar::write(&hidden, moved, None).map_err(failed)?;
        files::place(&from, &to, replaced.is_some()).map_err(failed)?;
        // Another program may have replaced the source since it was looked at; that file is not meant, and goes back.
        if !Seen::at(&to).map_err(failed)?.is_same_file(seen) {
            let _ = files::place(&to, &from, false);
            self.forget(moved);
            return Err(changed(&source.name));
        }
        let renamed = File::open(&to);
        if let Err(error) = renamed.and_then(|file| files::set_generation(&file, moved.generation))
        {
            let _ = files::place(&to, &from, false);
            return Err(failed(error));
        }
        self.forget(source);
        self.known.gone(&source.name);
        self.settle(moved, &to, replaced);
        files::prune(&self.root, &from);
        Ok(())
    }

    fn remove(&mut self, object: &Object) -> Result<()> {
        let Live { path, seen, .. } = self.file_of(object)?;
        let taken = self.hidden().join(format!("removed-{}", object.generation));
        let failed = |error: io::Error| failed("delete", &object.name, &error);
        files::place(&path, &taken, true).map_err(failed)?;
        if !Seen::at(&taken).map_err(failed)?.is_same_file(seen) {
            let _ = files::place(&taken, &path, false);
            return Err(changed(&object.name));
        }
        std::fs::remove_file(&taken).map_err(failed)?;
        self.forget(object);
        self.known.gone(&object.name);
        files::prune(&self.root, &path);
        Ok(())
    }

    fn is_disposable(&self) -> bool {
        false
    }

    fn being_written(&mut self, prefix: &str) -> Vec<BeingWritten> {
        let (Some(watch), root) = (&mut self.watch, &self.root) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (name, since) in std::mem::take(&mut watch.waiting) {
            let path = root.join(&name);
            let Ok(seen) = Seen::at(&path) else {
                continue;
            };
            if name.starts_with(prefix) {
                let (waited, has_rested) = (since.elapsed(), watch.has_rested(&path, seen));
                found.push(BeingWritten { name: name.clone(), waited, has_rested });
            }
            watch.waiting.insert(name, since);
        }
        found
    }
}

/// Another user of the file system was faster.
fn changed(name: &str) -> Refusal {
    Refusal::new(
        Kind::Precondition,
        format!(
            "At least one of the pre-conditions you specified did not hold: the file '{}' was changed by hand meanwhile.",
            name.escape_debug()
        ),
    )
}

fn failed(what: &str, name: &str, error: &io::Error) -> Refusal {
    let name = name.escape_debug();
    match error.kind() {
        io::ErrorKind::AlreadyExists => Refusal::precondition(),
        io::ErrorKind::StorageFull => {
            Refusal::new(Kind::Internal, format!("cannot {what} '{name}': the disk is full"))
        }
        _ => Refusal::new(Kind::Internal, format!("cannot {what} the file '{name}': {error}")),
    }
}
