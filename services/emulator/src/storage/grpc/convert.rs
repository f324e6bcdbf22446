//! The core's values as messages.

use jiff::Timestamp;

use super::wire::{
    self,
    bucket::{IamConfig, iam_config::UniformBucketLevelAccess},
};
use brigade_model::{Attributes, BucketInfo, Object, Refusal, Result};

/// How buckets are named in this API.
const BUCKETS: &str = "projects/_/buckets/";

/// `projects/_/buckets/B` → `B`.
pub(super) fn bucket_name(resource: &str) -> Result<&str> {
    resource
        .strip_prefix(BUCKETS)
        .filter(|name| !name.is_empty())
        .ok_or_else(|| Refusal::invalid("A bucket must be named as `projects/_/buckets/NAME`."))
}

pub(super) fn object(bucket: &str, object: Object) -> wire::Object {
    let created = timestamp(object.created());
    let attributes = object.attributes;
    wire::Object {
        name: object.name,
        bucket: format!("{BUCKETS}{bucket}"),
        etag: format!("{}/{}", object.generation, object.metageneration),
        generation: object.generation,
        metageneration: object.metageneration,
        storage_class: class(attributes.storage_class),
        size: i64::try_from(object.size).unwrap_or(i64::MAX),
        content_encoding: attributes.content_encoding,
        content_disposition: attributes.content_disposition,
        cache_control: attributes.cache_control,
        content_language: attributes.content_language,
        finalize_time: created,
        content_type: attributes.content_type,
        create_time: created,
        checksums: Some(wire::ObjectChecksums {
            crc32c: Some(object.crc32c),
            md5_hash: object.md5.map_or_else(Vec::new, Into::into),
        }),
        update_time: timestamp(object.updated),
        update_storage_class_time: created,
        temporary_hold: attributes.temporary_hold,
        retention_expire_time: object.retention_expires.and_then(timestamp),
        metadata: attributes.metadata,
        event_based_hold: attributes.event_based_hold.then_some(true),
        custom_time: attributes.custom_time.and_then(|time| timestamp(time.parse().ok()?)),
        ..wire::Object::default()
    }
}

/// The attributes that a new object gets from a message.
pub(super) fn attributes(object: wire::Object) -> Result<Attributes> {
    for (asked, what) in [
        (!object.kms_key.is_empty(), "kms_key"),
        (!object.customer_encryption.is_empty(), "customer_encryption"),
        (!object.retention.is_empty(), "retention"),
        (!object.contexts.is_empty(), "contexts"),
    ] {
        if asked {
            return Err(Refusal::unsupported(&format!("the field {what}")));
        }
    }
    Ok(Attributes {
        content_type: object.content_type,
        content_encoding: object.content_encoding,
        content_disposition: object.content_disposition,
        content_language: object.content_language,
        cache_control: object.cache_control,
        storage_class: object.storage_class,
        custom_time: object.custom_time.and_then(rfc3339),
        metadata: object.metadata,
        temporary_hold: object.temporary_hold,
        event_based_hold: object.event_based_hold.unwrap_or_default(),
        retain_until: None,
    })
}

pub(super) fn bucket(info: &BucketInfo) -> wire::Bucket {
    wire::Bucket {
        name: format!("{BUCKETS}{}", info.name),
        bucket_id: info.name.clone(),
        etag: BucketInfo::METAGENERATION.to_string(),
        project: "projects/_".to_owned(),
        metageneration: BucketInfo::METAGENERATION,
        location: info.config.location(),
        location_type: info.config.location_type().to_owned(),
        storage_class: class(info.config.storage_class.clone()),
        create_time: timestamp(info.created),
        update_time: timestamp(info.created),
        labels: info.config.labels.clone(),
        retention_policy: info.config.retention.map(|period| wire::bucket::RetentionPolicy {
            effective_time: timestamp(info.created),
            is_locked: false,
            retention_duration: period.try_into().ok(),
        }),
        iam_config: Some(IamConfig {
            uniform_bucket_level_access: Some(UniformBucketLevelAccess { enabled: true }),
        }),
        ..wire::Bucket::default()
    }
}

fn class(stored: String) -> String {
    if stored.is_empty() { "STANDARD".to_owned() } else { stored }
}

#[allow(clippy::unnecessary_wraps, reason = "every field of a message that takes it is optional")]
fn timestamp(time: Timestamp) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() })
}

pub(super) fn rfc3339(time: prost_types::Timestamp) -> Option<String> {
    let time = Timestamp::new(time.seconds, time.nanos).ok()?;
    Some(time.to_string())
}
