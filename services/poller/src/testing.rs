//! Objects for this crate's tests.

use brigade_storage::{Metadata, Object};
use jiff::Timestamp;

/// A live object of `bucket` with 3 bytes.
pub(crate) fn object(name: &str, generation: i64) -> Object {
    Object {
        bucket: "bucket".into(),
        name: name.into(),
        generation,
        metageneration: 1,
        size: 3,
        content_type: "text/csv".into(),
        crc32c: Some(1),
        md5: None,
        created: Timestamp::UNIX_EPOCH,
        updated: Timestamp::UNIX_EPOCH,
        metadata: Metadata::new(),
        temporary_hold: false,
        event_based_hold: false,
        retention_expires: None,
    }
}
