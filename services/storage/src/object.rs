//! Objects as the port knows them.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;

/// Custom metadata of an object, in key order.
pub type Metadata = BTreeMap<String, String>;

/// One generation of one object, as a listing or a look shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The bucket's name, without `gs://` and without `projects/_/buckets/`.
    pub bucket: String,
    /// The whole name, byte for byte.
    pub name: String,
    /// Unique for this name in this bucket; a new upload, and a move, get a new one.
    pub generation: i64,
    /// Counts metadata updates of this generation, from 1.
    pub metageneration: i64,
    /// The content's length in bytes.
    pub size: u64,
    /// The stored Content-Type; empty when there is none.
    pub content_type: String,
    /// The stored Content-Encoding, such as `gzip`; empty when there is none.
    pub content_encoding: String,
    /// The stored Cache-Control; empty when there is none.
    pub cache_control: String,
    /// The storage class; empty when the service did not say.
    pub storage_class: String,
    /// The time that the uploader gave it.
    pub custom_time: Option<Timestamp>,
    /// CRC32C of the content; every object on Cloud Storage has one.
    pub crc32c: Option<u32>,
    /// MD5 of the content; composite objects have none.
    pub md5: Option<[u8; 16]>,
    /// When this generation was created, by the server's clock.
    pub created: Timestamp,
    /// When its metadata last changed, by the server's clock.
    pub updated: Timestamp,
    /// Custom metadata.
    pub metadata: Metadata,
    /// Delete and move are refused while this is set.
    pub temporary_hold: bool,
    /// Delete and move are refused while this is set.
    pub event_based_hold: bool,
    /// Delete and move are refused before this time.
    pub retention_expires: Option<Timestamp>,
}

impl Object {
    /// This generation, to be named in a precondition.
    pub fn pinned(&self) -> Pinned<'_> {
        Pinned { name: &self.name, generation: self.generation }
    }

    /// Its place: `gs://bucket/name`.
    pub fn uri(&self) -> String {
        format!("gs://{}/{}", self.bucket, self.name)
    }

    /// Whether both hold the same bytes, as far as size and CRC32C can tell.
    ///
    /// MD5 is not asked: composite objects have none.
    pub fn same_content(&self, other: &Self) -> bool {
        self.size == other.size && self.crc32c.is_some() && self.crc32c == other.crc32c
    }

    /// Why Cloud Storage would refuse to move or delete this object at `now`, if it would.
    pub fn held(&self, now: Timestamp) -> Option<&'static str> {
        if self.temporary_hold {
            Some("a temporary hold")
        } else if self.event_based_hold {
            Some("an event-based hold")
        } else if self.retention_expires.is_some_and(|until| until > now) {
            Some("a retention policy")
        } else {
            None
        }
    }
}

/// A name in a bucket and the one generation of it that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pinned<'a> {
    /// The whole name.
    pub name: &'a str,
    /// The generation that must be the live one.
    pub generation: i64,
}

/// A bucket and a name, for messages; names are escaped, because uploaders choose them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectRef<'a> {
    /// The bucket's name.
    pub bucket: &'a str,
    /// The object's name; empty when the bucket itself is meant.
    pub name: &'a str,
}

impl fmt::Display for ObjectRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gs://{}/{}", self.bucket, escape(self.name))
    }
}

/// Escapes what could forge a log line or repaint a terminal: controls, bidirectional overrides, line separators and
/// the backslash itself, so that the original can be read back.
pub fn escape(name: &str) -> impl fmt::Display + '_ {
    Escaped(name)
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for c in self.0.chars() {
            if is_unsafe_to_show(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Unicode's bidirectional controls (UAX #9), line and paragraph separators, and invisible format characters.
fn is_unsafe_to_show(c: char) -> bool {
    c == '\\'
        || c.is_control()
        || matches!(c,
            '\u{061C}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}'
            | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_names_hold_no_control_or_bidirectional_characters() {
        let shown = escape("a\u{1b}[31m\n\u{202e}gpj.exe\\n").to_string();
        assert_eq!(shown, "a\\u{1b}[31m\\n\\u{202e}gpj.exe\\\\n");
    }

    #[test]
    fn ordinary_unicode_is_shown_as_it_is() {
        assert_eq!(
            escape("données/Ärzte 日本 👩\u{200d}🔬.csv").to_string(),
            "données/Ärzte 日本 👩\u{200d}🔬.csv"
        );
    }
}
