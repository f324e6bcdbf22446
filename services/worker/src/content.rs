//! Checks an object's content as it arrives.

use std::time::Duration;

use brigade_proto::v1::Object;

use crate::error::ProcessError;

/// Size and CRC32C of what arrived so far, beside what is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    stored_size: u64,
    stored_crc32c: Option<u32>,
    size: u64,
    crc32c: u32,
}

impl Check {
    /// Nothing arrived yet.
    pub(crate) fn of(object: &Object) -> Self {
        Self {
            stored_size: object.size.max(0).unsigned_abs(),
            stored_crc32c: object.crc32c,
            size: 0,
            crc32c: 0,
        }
    }

    /// What is stored, in bytes.
    pub(crate) fn stored_size(&self) -> u64 {
        self.stored_size
    }

    /// Takes the next piece.
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.size += piece.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, piece);
    }

    /// Content that arrived other than it is stored is no fault of the object: it is read again another time.
    pub(crate) fn finish(self) -> Result<(), ProcessError> {
        let wrong = if self.size != self.stored_size {
            format!(
                "{} bytes arrived where {} are stored",
                self.size, self.stored_size
            )
        } else if self
            .stored_crc32c
            .is_some_and(|stored| stored != self.crc32c)
        {
            "the content's CRC32C is not the stored one".to_owned()
        } else {
            return Ok(());
        };
        Err(ProcessError::retry_after(
            Duration::from_secs(1),
            format!("the download was damaged: {wrong}"),
        ))
    }
}
