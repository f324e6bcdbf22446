//! Checksums that come with an upload, to be compared with the content.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::request::Parts;
use serde_json::{Map, Value};

use crate::storage::json::resource::checksum;
use brigade_model::{Refusal, Result, Upload};

/// `crc32c` and `md5Hash` of a resource.
pub(super) fn from_resource(resource: &Map<String, Value>, upload: &mut Upload) -> Result<()> {
    if let Some(sum) = checksum(resource, "crc32c")? {
        upload.crc32c = Some(u32::from_be_bytes(sum));
    }
    if let Some(sum) = checksum(resource, "md5Hash")? {
        upload.md5 = Some(sum);
    }
    Ok(())
}

/// `x-goog-hash: crc32c=…,md5=…`, in one header or several.
pub(super) fn from_headers(head: &Parts, upload: &mut Upload) -> Result<()> {
    let values = head.headers.get_all("x-goog-hash").iter();
    let sums = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    for sum in sums {
        match sum.trim().split_once('=') {
            Some(("crc32c", sum)) => upload.crc32c = Some(u32::from_be_bytes(decode(sum)?)),
            Some(("md5", sum)) => upload.md5 = Some(decode(sum)?),
            _ => {}
        }
    }
    Ok(())
}

fn decode<const N: usize>(sum: &str) -> Result<[u8; N]> {
    let bytes = BASE64_STANDARD.decode(sum).ok();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Refusal::invalid("x-goog-hash is not a checksum in base64."))
}
