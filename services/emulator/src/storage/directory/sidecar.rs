//! What a file cannot say of itself: attributes, and how often they changed.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::files;
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
}

impl Notes {
    pub(super) fn apply(self, object: &mut Object) {
        object.metageneration = self.metageneration;
        object.updated = Timestamp::from_microsecond(self.updated).unwrap_or(object.updated);
        object.attributes = self.attributes;
    }
}

/// The notes on this very generation of `name`.
pub(super) fn read(hidden: &Path, name: &str, generation: i64) -> Option<Notes> {
    let notes = fs::read(path(hidden, name, generation)).ok()?;
    let notes: Notes = serde_json::from_slice(&notes).ok()?;
    (notes.name == name && notes.generation == generation).then_some(notes)
}

/// Keeps the notes on an object; those on other generations of the name stay. An object of which its file holds
/// everything has none.
pub(super) fn write(hidden: &Path, object: &Object) -> io::Result<()> {
    if object.metageneration == 1 && object.attributes == Attributes::default() {
        return Ok(());
    }
    let notes = Notes {
        name: object.name.clone(),
        generation: object.generation,
        metageneration: object.metageneration,
        updated: object.updated.as_microsecond(),
        attributes: object.attributes.clone(),
    };
    let file = files::temporary(hidden)?;
    serde_json::to_writer(&file, &notes)?;
    fs::rename(file.path(), path(hidden, &object.name, object.generation))
}

/// Removes the notes on an object that is no more. Those that stay behind do no harm: they name their generation.
pub(super) fn remove(hidden: &Path, object: &Object) {
    let _ = fs::remove_file(path(hidden, &object.name, object.generation));
}

/// Names are long and have slashes; their digest neither is nor has.
fn path(hidden: &Path, name: &str, generation: i64) -> PathBuf {
    let mut file = String::new();
    for byte in digest(&SHA256, name.as_bytes()).as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(file, "{byte:02x}");
    }
    hidden.join(format!("{file}-{generation}.json"))
}
