//! Objects as files of a directory: a file dropped in is an object, its path is the name, its mtime in microseconds the
//! generation.
//!
//! What a file cannot hold itself is stored in a hidden directory beside the data, bound to name and generation: a file that
//! is changed by hand is a new generation with fresh metadata. Writes are a rename of a finished file, and a rename never
//! replaces what the caller did not mean to. Links are never followed: nothing outside the directory is read or written.

mod digests;
mod files;
mod open;
mod path;
mod sidecar;
#[cfg(test)]
mod tests;
mod walk;

use std::{
    collections::HashSet,
    io,
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use self::{digests::Digests, files::Seen};
use brigade_model::{Attributes, Backend, Kind, Object, Refusal, Result};

/// The hidden directory. Nothing in it is an object.
const HIDDEN: &str = ".brigade-emulator";

/// A bucket on a directory.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    digests: Digests,
    /// Files that were complained about, so that each is once.
    warned: HashSet<PathBuf>,
}

impl Directory {
    fn hidden(&self) -> PathBuf {
        self.root.join(HIDDEN)
    }

    /// Keeps what is known of an object that is now at `path`, and forgets the one it replaced.
    fn settle(&mut self, object: &Object, path: &Path, replaced: Option<&Object>) {
        self.digests.know(&object.name, path, object.digest());
        if let Some(replaced) = replaced {
            sidecar::remove(&self.hidden(), replaced);
        }
    }

    /// The plain file at a name, if there is one, and what it looks like.
    fn file(&self, name: &str) -> Option<(PathBuf, Seen)> {
        let path = path::resolve(&self.root, name).ok()?;
        let seen = Seen::at(&path).ok()?;
        Some((path, seen))
    }

    /// The file of exactly this object; changed by hand in between, it is another one.
    fn file_of(&self, object: &Object) -> Result<PathBuf> {
        match self.file(&object.name) {
            Some((path, seen)) if seen.generation == object.generation => Ok(path),
            _ => Err(changed(&object.name)),
        }
    }
}

impl Backend for Directory {
    fn names(&mut self, prefix: &str, from: &str, limit: usize) -> Result<Vec<String>> {
        walk::names(&self.root, prefix, from, limit, &mut self.warned)
    }

    fn look(&mut self, name: &str) -> Result<Option<Object>> {
        let Some((path, seen)) = self.file(name) else {
            return Ok(None);
        };
        let digest = match self.digests.digest(name, &path, seen) {
            Ok(Some(digest)) => digest,
            // It is still being written: it is no object yet.
            Ok(None) => return Ok(None),
            Err(error) => {
                if self.warned.insert(path) {
                    tracing::warn!(name = %name.escape_debug(), %error, "skipped a file that cannot be read");
                }
                return Ok(None);
            }
        };
        let mut object = Object::new(name, seen.generation, digest, Attributes::default());
        if let Some(notes) = sidecar::read(&self.hidden(), name, seen.generation) {
            notes.apply(&mut object);
        }
        Ok(Some(object))
    }

    fn read(&mut self, object: &Object, range: Range<u64>) -> Result<Bytes> {
        let path = self.file_of(object)?;
        let content =
            files::read(&path, range).map_err(|error| failed("read", &object.name, &error))?;
        // What was changed while it was read is not this object's content.
        self.file_of(object)?;
        Ok(content)
    }

    fn check_name(&self, name: &str) -> Result<()> {
        path::check_writable(&self.root, name)
    }

    fn write(&mut self, object: &Object, content: Bytes, replaced: Option<&Object>) -> Result<()> {
        let path = path::resolve(&self.root, &object.name)?;
        if let Some(replaced) = replaced {
            self.file_of(replaced)?;
        }
        let hidden = self.hidden();
        let write = || -> io::Result<()> {
            let file = files::temporary(&hidden)?;
            files::fill(&file, &content, object.generation)?;
            sidecar::write(&hidden, object)?;
            files::place(file.path(), &path, replaced.is_some())
        };
        if let Err(error) = write() {
            sidecar::remove(&hidden, object);
            return Err(failed("write", &object.name, &error));
        }
        self.settle(object, &path, replaced);
        Ok(())
    }

    fn annotate(&mut self, object: &Object) -> Result<()> {
        self.file_of(object)?;
        sidecar::write(&self.hidden(), object)
            .map_err(|error| failed("write the metadata of", &object.name, &error))
    }

    fn rename(&mut self, source: &Object, moved: &Object, replaced: Option<&Object>) -> Result<()> {
        let from = self.file_of(source)?;
        let to = path::resolve(&self.root, &moved.name)?;
        if let Some(replaced) = replaced {
            self.file_of(replaced)?;
        }
        let hidden = self.hidden();
        let failed = |error: io::Error| {
            sidecar::remove(&hidden, moved);
            failed("move", &source.name, &error)
        };
        sidecar::write(&hidden, moved).map_err(failed)?;
        files::place(&from, &to, replaced.is_some()).map_err(failed)?;
        // Another program may have replaced the source since it was looked at; that file is not meant, and goes back.
        if Seen::at(&to).map_err(failed)?.generation != source.generation {
            let _ = files::place(&to, &from, false);
            sidecar::remove(&hidden, moved);
            return Err(changed(&source.name));
        }
        if let Err(error) = files::set_generation(&to, moved.generation) {
            let _ = files::place(&to, &from, false);
            return Err(failed(error));
        }
        sidecar::remove(&hidden, source);
        self.digests.forget(&source.name);
        self.settle(moved, &to, replaced);
        files::prune(&self.root, &from);
        Ok(())
    }

    fn remove(&mut self, object: &Object) -> Result<()> {
        let path = self.file_of(object)?;
        let taken = self.hidden().join(format!("removed-{}", object.generation));
        let failed = |error: io::Error| failed("delete", &object.name, &error);
        files::place(&path, &taken, true).map_err(failed)?;
        if Seen::at(&taken).map_err(failed)?.generation != object.generation {
            let _ = files::place(&taken, &path, false);
            return Err(changed(&object.name));
        }
        std::fs::remove_file(&taken).map_err(failed)?;
        sidecar::remove(&self.hidden(), object);
        self.digests.forget(&object.name);
        files::prune(&self.root, &path);
        Ok(())
    }

    fn is_disposable(&self) -> bool {
        false
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
