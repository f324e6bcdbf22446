//! Our types as the contract's messages.

use std::time::Duration;

use brigade_proto::v1;
use brigade_storage::Object;
use jiff::Timestamp;

use crate::lease::Holder;

/// An object as it is handed to a worker.
pub(crate) fn object(object: &Object) -> v1::Object {
    v1::Object {
        bucket: object.bucket.clone(),
        name: object.name.clone(),
        generation: object.generation,
        size: object.size.try_into().unwrap_or(i64::MAX),
        content_type: object.content_type.clone(),
        crc32c: object.crc32c,
        md5_hash: object.md5.map(|md5| md5.to_vec()).unwrap_or_default(),
        create_time: Some(timestamp(object.created)),
        metadata: object.metadata.clone().into_iter().collect(),
        content_encoding: object.content_encoding.clone(),
        storage_class: object.storage_class.clone(),
        custom_time: object.custom_time.map(timestamp),
        cache_control: object.cache_control.clone(),
    }
}

/// The poll that holds the lease which another one wants.
pub(crate) fn lease_holder(poll_id: String, holder: &Holder) -> v1::LeaseHolder {
    v1::LeaseHolder {
        poll_id,
        prefix: holder.scope.as_ref().map(|scope| scope.prefix.clone()).unwrap_or_default(),
        since: Some(timestamp(holder.since)),
        until: Some(timestamp(holder.until())),
    }
}

/// A point in time.
pub(crate) fn timestamp(at: Timestamp) -> brigade_proto::Timestamp {
    brigade_proto::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

/// A length of time.
pub(crate) fn duration(length: Duration) -> brigade_proto::Duration {
    brigade_proto::Duration {
        seconds: length.as_secs().try_into().unwrap_or(i64::MAX),
        nanos: length.subsec_nanos().cast_signed(),
    }
}

/// A point in time of a message; nothing when it is out of range.
pub(crate) fn from_timestamp(at: &brigade_proto::Timestamp) -> Option<Timestamp> {
    Timestamp::new(at.seconds, at.nanos).ok()
}
