//! What is known of the files: checksums, computed once for each state of a file, and the generations that each name had.
//!
//! A file is of the generation that its mtime says, unless its name had that one or a later one already: then it is of the
//! next. Such a generation is written down beside the data.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{files::Seen, sidecar};
use brigade_model::{Attributes, Digest, Digester, Object, PIECE};

/// Names, and what is known of each.
#[derive(Debug)]
pub(super) struct Known {
    hidden: PathBuf,
    /// The highest generation of each name that the notes had at the start, by their key.
    noted: HashMap<String, i64>,
    names: HashMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// The highest that the name had.
    generation: i64,
    /// The file that has it; none when it is gone.
    file: Option<(Seen, Digest)>,
}

/// The file of an object.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) path: PathBuf,
    pub(super) seen: Seen,
    pub(super) generation: i64,
    pub(super) digest: Digest,
}

impl Known {
    /// What the notes in this hidden directory tell.
    pub(super) fn open(hidden: PathBuf) -> io::Result<Self> {
        Ok(Self { noted: sidecar::generations(&hidden)?, hidden, names: HashMap::new() })
    }

    /// Whether this file is an object already.
    pub(super) fn has(&self, name: &str, seen: Seen) -> bool {
        let file = self.names.get(name).and_then(|entry| entry.file);
        file.is_some_and(|(file, _)| file == seen)
    }

    /// The object that a file is now; nothing when the file does not stand still while it is read.
    pub(super) fn look(
        &mut self,
        name: &str,
        path: PathBuf,
        seen: Seen,
    ) -> io::Result<Option<Live>> {
        let entry = self.names.get(name);
        if let Some(Entry { generation, file: Some((file, digest)) }) = entry
            && *file == seen
        {
            return Ok(Some(Live { path, seen, generation: *generation, digest: *digest }));
        }
        let digest = digest(&path)?;
        if Seen::at(&path)? != seen {
            return Ok(None);
        }
        let generation = match entry {
            None => self.noted(name, seen),
            Some(Entry { generation, file: Some((file, known)) })
                if file.is_same_file(seen) && *known == digest =>
            {
                *generation
            }
            Some(entry) => {
                let generation = seen.mtime.max(entry.generation + 1);
                sidecar::remove(&self.hidden, name, entry.generation);
                generation
            }
        };
        if generation != seen.mtime {
            let object = Object::new(name, generation, digest, Attributes::default());
            if sidecar::read(&self.hidden, name, generation).is_none() {
                // Without the note this process alone knows the generation.
                let _ = sidecar::write(&self.hidden, &object, Some(seen));
            }
        }
        self.names.insert(name.to_owned(), Entry { generation, file: Some((seen, digest)) });
        Ok(Some(Live { path, seen, generation, digest }))
    }

    /// The generation of a file that this process has not seen before.
    fn noted(&self, name: &str, seen: Seen) -> i64 {
        // Notes on a write that was killed name a later generation than the file that is still there.
        if sidecar::read(&self.hidden, name, seen.mtime).is_some() {
            return seen.mtime;
        }
        match self.noted.get(&sidecar::key(name)) {
            None => seen.mtime,
            Some(&last) => match sidecar::read(&self.hidden, name, last) {
                Some(notes) if notes.are_on(seen) => last,
                _ => seen.mtime.max(last + 1),
            },
        }
    }

    /// Keeps what is known of a file that was just written.
    pub(super) fn wrote(&mut self, object: &Object, path: &Path) {
        let seen = Seen::at(path).ok().filter(|seen| seen.mtime == object.generation);
        let file = seen.map(|seen| (seen, object.digest()));
        self.names.insert(object.name.clone(), Entry { generation: object.generation, file });
    }

    /// No file has this name. Its next one gets a later generation than all before.
    pub(super) fn gone(&mut self, name: &str) {
        if let Some(entry) = self.names.get_mut(name) {
            entry.file = None;
        }
    }

    /// The highest generation that the name had; 0 for none.
    pub(super) fn last(&self, name: &str) -> i64 {
        match self.names.get(name) {
            Some(entry) => entry.generation,
            None => self.noted.get(&sidecar::key(name)).copied().unwrap_or_default(),
        }
    }
}

fn digest(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut digester = Digester::default();
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(digester.finish());
        }
        digester.update(&piece[..read]);
    }
}
