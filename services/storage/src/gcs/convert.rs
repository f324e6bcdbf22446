//! Cloud Storage's resources as the port's objects. The long form of a bucket's name, `projects/_/buckets/NAME`, is
//! known here alone.

use google_cloud_storage::model::Object as Resource;
use google_cloud_wkt::Timestamp as WireTimestamp;
use jiff::Timestamp;

use crate::object::{Metadata, Object};

const BUCKETS: &str = "projects/_/buckets/";

/// The name that the API wants: `_` is any project, bucket names being unique in all of them.
pub(super) fn bucket_path(name: &str) -> String {
    format!("{BUCKETS}{name}")
}

/// The port's object for the service's.
pub(super) fn object(resource: Resource) -> Object {
    let created = resource.create_time.map_or(Timestamp::UNIX_EPOCH, timestamp);
    let checksums = resource.checksums.unwrap_or_default();
    Object {
        bucket: bucket_name(&resource.bucket).to_owned(),
        name: resource.name,
        generation: resource.generation,
        metageneration: resource.metageneration,
        size: u64::try_from(resource.size).unwrap_or_default(),
        content_type: resource.content_type,
        content_encoding: resource.content_encoding,
        cache_control: resource.cache_control,
        storage_class: resource.storage_class,
        custom_time: resource.custom_time.map(timestamp),
        crc32c: checksums.crc32c,
        md5: <[u8; 16]>::try_from(checksums.md5_hash.as_ref()).ok(),
        created,
        updated: resource.update_time.map_or(created, timestamp),
        metadata: resource.metadata.into_iter().collect(),
        temporary_hold: resource.temporary_hold,
        event_based_hold: resource.event_based_hold.unwrap_or_default(),
        retention_expires: resource.retention_expire_time.map(timestamp),
    }
}

/// `metadata` merged into `base`; a key with an empty value is removed.
pub(super) fn merge(
    base: impl IntoIterator<Item = (String, String)>,
    metadata: &Metadata,
) -> Metadata {
    let mut merged: Metadata = base.into_iter().collect();
    for (key, value) in metadata {
        if value.is_empty() {
            merged.remove(key);
        } else {
            merged.insert(key.clone(), value.clone());
        }
    }
    merged
}

fn bucket_name(path: &str) -> &str {
    path.strip_prefix(BUCKETS).unwrap_or(path)
}

/// To the millisecond: the JSON API returns no more, and an object must look alike from both APIs. Protobuf's
/// timestamps lie within years 1 to 9999, as jiff's do.
fn timestamp(wire: WireTimestamp) -> Timestamp {
    let millis = wire.nanos() / 1_000_000 * 1_000_000;
    Timestamp::new(wire.seconds(), millis).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use google_cloud_storage::model::ObjectChecksums;

    use super::*;

    #[test]
    fn every_property_of_a_resource_is_read() {
        let checksums = ObjectChecksums::new().set_crc32c(9_u32).set_md5_hash(vec![7_u8; 16]);
        let resource = Resource::new()
            .set_bucket(bucket_path("b"))
            .set_name("in/a b")
            .set_generation(1_700_000_000_000_000_i64)
            .set_metageneration(4)
            .set_size(12)
            .set_content_type("text/csv")
            .set_content_encoding("gzip")
            .set_cache_control("no-store")
            .set_storage_class("NEARLINE")
            .set_custom_time(WireTimestamp::clamp(50, 0))
            .set_checksums(checksums)
            .set_create_time(WireTimestamp::clamp(100, 5_999_999))
            .set_update_time(WireTimestamp::clamp(200, 0))
            .set_metadata([("k", "v")])
            .set_temporary_hold(true)
            .set_event_based_hold(true)
            .set_retention_expire_time(WireTimestamp::clamp(300, 0));
        let want = Object {
            bucket: "b".into(),
            name: "in/a b".into(),
            generation: 1_700_000_000_000_000,
            metageneration: 4,
            size: 12,
            content_type: "text/csv".into(),
            content_encoding: "gzip".into(),
            cache_control: "no-store".into(),
            storage_class: "NEARLINE".into(),
            custom_time: Some(Timestamp::from_second(50).unwrap()),
            crc32c: Some(9),
            md5: Some([7; 16]),
            created: Timestamp::new(100, 5_000_000).unwrap(),
            updated: Timestamp::from_second(200).unwrap(),
            metadata: Metadata::from([("k".into(), "v".into())]),
            temporary_hold: true,
            event_based_hold: true,
            retention_expires: Some(Timestamp::from_second(300).unwrap()),
        };
        assert_eq!(object(resource), want);
    }

    #[test]
    fn a_composite_object_has_no_md5() {
        let object =
            object(Resource::new().set_checksums(ObjectChecksums::new().set_crc32c(1_u32)));
        assert_eq!((object.crc32c, object.md5), (Some(1), None));
    }

    #[test]
    fn a_removed_or_released_mark_is_absent() {
        let object = object(Resource::new());
        assert_eq!(object.held(Timestamp::UNIX_EPOCH), None);
        assert_eq!(object.crc32c, None);
    }
}
