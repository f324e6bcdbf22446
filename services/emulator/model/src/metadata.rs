//! How much custom metadata an object may have.
//!
//! Source: <https://cloud.google.com/storage/quotas#objects>.

use std::collections::BTreeMap;

use crate::{Refusal, Result};

/// Keys and values together, in bytes of UTF-8.
const METADATA_MAX: usize = 8 * 1_024;

pub(crate) fn check(metadata: &BTreeMap<String, String>) -> Result<()> {
    let size: usize = metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size <= METADATA_MAX {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "The custom metadata of an object has {size} bytes in keys and values; at most {METADATA_MAX} are allowed."
    )))
}
