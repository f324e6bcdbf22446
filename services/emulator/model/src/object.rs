//! One generation of one object.

use std::{collections::BTreeMap, fmt, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    content::Content,
    digest::Digest,
    refusal::{Kind, Refusal, Result},
};

/// One generation of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The whole name.
    pub name: String,
    /// When it was created, in microseconds since 1970; strictly increasing for a name.
    pub generation: i64,
    /// Counts changes of its metadata, from 1.
    pub metageneration: i64,
    /// Length of the content in bytes.
    pub size: u64,
    /// CRC32C of the content.
    pub crc32c: u32,
    /// MD5 of the content; an object that was composed of others has none.
    pub md5: Option<[u8; 16]>,
    /// When its metadata last changed.
    pub updated: Timestamp,
    /// Until when the bucket's retention policy, or its own, keeps it.
    pub retention_expires: Option<Timestamp>,
    /// When its event-based hold was released: the policy's period counts from then.
    pub released: Option<Timestamp>,
    /// What a caller may set.
    pub attributes: Attributes,
}

/// What a caller may set on an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attributes {
    /// Content-Type; empty for none.
    pub content_type: String,
    /// Content-Encoding; empty for none.
    pub content_encoding: String,
    /// Content-Disposition; empty for none.
    pub content_disposition: String,
    /// Content-Language; empty for none.
    pub content_language: String,
    /// Cache-Control; empty for none.
    pub cache_control: String,
    /// The storage class; empty for the bucket's.
    pub storage_class: String,
    /// The caller's own time.
    pub custom_time: Option<String>,
    /// Custom metadata.
    pub metadata: BTreeMap<String, String>,
    /// Keeps the object from deletion and replacement.
    pub temporary_hold: bool,
    /// Keeps the object from deletion and replacement.
    pub event_based_hold: bool,
    /// Keeps the object from deletion and replacement until then.
    #[serde(skip)]
    pub retain_until: Option<Timestamp>,
}

/// What is uploaded.
#[derive(Default)]
pub struct Upload {
    /// The content.
    pub content: Content,
    /// What identifies the content.
    pub digest: Digest,
    /// What the caller sets.
    pub attributes: Attributes,
    /// The checksum that the sender gives, if any.
    pub crc32c: Option<u32>,
    /// The hash that the sender gives, if any.
    pub md5: Option<[u8; 16]>,
}

// === impl Object ===

impl Object {
    /// A new generation of `name`.
    pub fn new(name: &str, generation: i64, digest: Digest, attributes: Attributes) -> Self {
        Self {
            name: name.to_owned(),
            generation,
            metageneration: 1,
            size: digest.size,
            crc32c: digest.crc32c,
            md5: digest.md5,
            updated: created_at(generation),
            retention_expires: None,
            released: None,
            attributes,
        }
    }

    /// When this generation was created.
    pub fn created(&self) -> Timestamp {
        created_at(self.generation)
    }

    /// What identifies its content.
    pub fn digest(&self) -> Digest {
        Digest { size: self.size, crc32c: self.crc32c, md5: self.md5 }
    }

    pub(crate) fn retained_for(mut self, period: Option<Duration>) -> Self {
        // Under an event-based hold the period has not begun.
        let begin = self.released.unwrap_or_else(|| self.created());
        let period = period.filter(|_| !self.attributes.event_based_hold);
        let policy = period.and_then(|period| begin.checked_add(period).ok());
        self.retention_expires = policy.max(self.attributes.retain_until);
        self
    }

    /// Refuses what would delete, replace or move a kept object. The message of a hold is that of public reports
    /// (GoogleCloudPlatform/gsutil#1175, googleapis/google-cloud-go#1631).
    pub(crate) fn check_not_kept(&self, bucket: &str, now: Timestamp) -> Result<()> {
        let hold = if self.attributes.temporary_hold {
            "Temporary"
        } else if self.attributes.event_based_hold {
            "Event-Based"
        } else {
            return self.check_not_retained(bucket, now);
        };
        Err(Refusal::new(
            Kind::Held,
            format!(
                "Object '{bucket}/{}' is under active {hold} hold and cannot be deleted, overwritten or archived until \
                 hold is removed.",
                self.name
            ),
        ))
    }

    fn check_not_retained(&self, bucket: &str, now: Timestamp) -> Result<()> {
        match self.retention_expires {
            Some(until) if until > now => Err(Refusal::new(
                Kind::Retained,
                format!(
                    "Object '{bucket}/{}' is subject to bucket's retention policy or object retention and cannot be \
                     deleted or overwritten until {until:.6}",
                    self.name
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// A generation is the time of its creation.
fn created_at(generation: i64) -> Timestamp {
    Timestamp::from_microsecond(generation).unwrap_or(Timestamp::MAX)
}

// === impl Attributes ===

impl Attributes {
    /// The same, in the bucket's class when they name none.
    pub(crate) fn in_class(mut self, class: &str) -> Self {
        if self.storage_class.is_empty() {
            class.clone_into(&mut self.storage_class);
        }
        self
    }

    /// What a copy has of them: all that describes the content. Holds stay with the source, and the class is the
    /// destination's to choose.
    #[must_use]
    pub fn copied(&self) -> Self {
        Self {
            temporary_hold: false,
            event_based_hold: false,
            retain_until: None,
            storage_class: String::new(),
            ..self.clone()
        }
    }
}

// === impl Upload ===

impl Upload {
    /// A content in memory, with these attributes.
    pub fn new(content: impl Into<Bytes>, attributes: Attributes) -> Self {
        let content = content.into();
        let digest = Digest::new(&content);
        Self { content: Content::Bytes(content), digest, attributes, ..Self::default() }
    }

    /// The content's digest, if it is what the sender gives.
    pub(crate) fn digest(&self) -> Result<Digest> {
        let digest = self.digest;
        if self.crc32c.is_some_and(|given| given != digest.crc32c) {
            return Err(mismatch("CRC32C"));
        }
        if self.md5.is_some() && self.md5 != digest.md5 {
            return Err(mismatch("MD5 hash"));
        }
        Ok(digest)
    }
}

fn mismatch(what: &str) -> Refusal {
    Refusal::invalid(format!("Provided {what} doesn't match calculated {what} of the content."))
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("size", &self.digest.size)
            .field("attributes", &self.attributes)
            .finish_non_exhaustive()
    }
}
