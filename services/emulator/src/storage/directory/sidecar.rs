//! What a file cannot say of itself: attributes, how often they changed, and a generation that is not its mtime.

use std::{
    collections::HashMap,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    files::{self, Seen},
    watch::is_dropping,
};
use brigade_model::{Attributes, Object};

/// The notes on one generation of one object.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Notes {
    name: String,
    generation: i64,
    metageneration: i64,
    /// Microseconds since 1970.
    updated: i64,
    attributes: Attributes,
    /// When its event-based hold was released, in microseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    released: Option<i64>,
    /// The file that they are on, when its mtime does not say the generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<Seen>,
}

impl Notes {
    /// Whether they name this file.
    pub(super) fn are_on(&self, seen: Seen) -> bool {
        self.file.is_some_and(|file| file.is_same_file(seen))
    }

    pub(super) fn apply(self, object: &mut Object) {
        object.metageneration = self.metageneration;
        object.updated = Timestamp::from_microsecond(self.updated).unwrap_or(object.updated);
        object.attributes = self.attributes;
        object.released = self.released.and_then(|at| Timestamp::from_microsecond(at).ok());
    }
}

/// The notes on this very generation of `name`.
pub(super) fn read(hidden: &Path, name: &str, generation: i64) -> Option<Notes> {
    let notes = fs::read(path(hidden, name, generation)).ok()?;
    let notes: Notes = serde_json::from_slice(&notes).ok()?;
    (notes.name == name && notes.generation == generation).then_some(notes)
}

/// Keeps the notes on an object with this file, if it is there already; those on other generations of the name stay. An object of which its file
/// holds everything has none, but for one whose name is a dropping's: the notes tell it from a dropping.
pub(super) fn write(hidden: &Path, object: &Object, seen: Option<Seen>) -> io::Result<()> {
    let file = seen.filter(|seen| seen.mtime != object.generation);
    let is_plain = object.metageneration == 1 && object.attributes == Attributes::default();
    if file.is_none() && is_plain && !is_dropping(&object.name) {
        return Ok(());
    }
    let notes = Notes {
        name: object.name.clone(),
        generation: object.generation,
        metageneration: object.metageneration,
        updated: object.updated.as_microsecond(),
        attributes: object.attributes.clone(),
        released: object.released.map(Timestamp::as_microsecond),
        file,
    };
    let file = files::temporary(hidden)?;
    serde_json::to_writer(&file, &notes)?;
    fs::rename(file.path(), path(hidden, &object.name, object.generation))
}

/// Removes the notes on an object that is no more. Those that stay behind do no harm: they name their generation.
pub(super) fn remove(hidden: &Path, name: &str, generation: i64) {
    let _ = fs::remove_file(path(hidden, name, generation));
}

/// The highest generation that there are notes on, by the [`key`] of each name.
pub(super) fn generations(hidden: &Path) -> io::Result<HashMap<String, i64>> {
    let mut highest: HashMap<String, i64> = HashMap::new();
    for entry in fs::read_dir(hidden)? {
        let file = entry?.file_name();
        let parts = file.to_str().and_then(|file| file.strip_suffix(".json")?.split_once('-'));
        if let Some((key, generation)) = parts
            && let Ok(generation) = generation.parse()
        {
            let last = highest.entry(key.to_owned()).or_insert(generation);
            *last = generation.max(*last);
        }
    }
    Ok(highest)
}

/// Names are long and have slashes; their digest neither is nor has.
pub(super) fn key(name: &str) -> String {
    let mut key = String::new();
    for byte in digest(&SHA256, name.as_bytes()).as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(key, "{byte:02x}");
    }
    key
}

fn path(hidden: &Path, name: &str, generation: i64) -> PathBuf {
    hidden.join(format!("{}-{generation}.json", key(name)))
}
