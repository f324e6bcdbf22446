//! The model's values as the port's.

use brigade_model::Kind as Refused;
use brigade_storage::{Kind, Object};
use jiff::Timestamp;

pub(super) fn to_port(bucket: &str, object: brigade_model::Object) -> Object {
    let created = to_clock(object.created());
    Object {
        bucket: bucket.to_owned(),
        name: object.name,
        generation: object.generation,
        metageneration: object.metageneration,
        size: object.size,
        content_type: object.attributes.content_type,
        content_encoding: object.attributes.content_encoding,
        cache_control: object.attributes.cache_control,
        storage_class: object.attributes.storage_class,
        custom_time: object.attributes.custom_time.and_then(|time| time.parse().ok()),
        crc32c: Some(object.crc32c),
        md5: object.md5,
        created,
        updated: to_clock(object.updated),
        metadata: object.attributes.metadata,
        temporary_hold: object.attributes.temporary_hold,
        event_based_hold: object.attributes.event_based_hold,
        retention_expires: object.retention_expires,
    }
}

/// The time on the simulated clock, whose steps are milliseconds: what is made at one instant has the same time, although
/// generations count microseconds up.
fn to_clock(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// What the client makes of the same refusal when it comes over the wire.
pub(super) fn kind(refused: Refused) -> Kind {
    match refused {
        Refused::NoObject => Kind::NotFound,
        Refused::NoBucket => Kind::NoBucket,
        Refused::Precondition => Kind::Precondition,
        Refused::Held | Refused::Retained => Kind::Held,
        Refused::PermissionDenied => Kind::PermissionDenied,
        Refused::Unauthenticated | Refused::BadToken => Kind::Unauthenticated,
        Refused::Internal | Refused::Unavailable => Kind::Unknown,
        _ => Kind::Invalid,
    }
}
