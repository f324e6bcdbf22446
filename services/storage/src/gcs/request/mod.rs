//! The requests of the gRPC API, each with the conditions that keep an object from being lost or overwritten.
//!
//! A generation is always a *condition* here, never the field that selects one: on a versioned bucket
//! `DeleteObject.generation` deletes for good, and `RewriteObject.source_generation` copies a noncurrent version.

use google_cloud_storage::model::{
    DeleteObjectRequest, GetObjectRequest, ListObjectsRequest, MoveObjectRequest,
    Object as Resource, RewriteObjectRequest, UpdateObjectRequest,
};
use google_cloud_wkt::FieldMask;

use super::convert::merge;
use crate::{
    bucket::ListRequest,
    object::{Metadata, Pinned},
};

/// The condition that no object has a name.
const NO_OBJECT: i64 = 0;

/// Live objects only: neither noncurrent versions nor soft-deleted ones.
pub(super) fn list(bucket: &str, request: &ListRequest) -> ListObjectsRequest {
    ListObjectsRequest::new()
        .set_parent(bucket)
        .set_prefix(&request.prefix)
        .set_lexicographic_start(&request.start)
        .set_page_size(request.page_size)
        .set_page_token(&request.page_token)
        .set_versions(false)
        .set_soft_deleted(false)
}

/// The live generation.
pub(super) fn get(bucket: &str, name: &str) -> GetObjectRequest {
    GetObjectRequest::new().set_bucket(bucket).set_object(name)
}

/// The live generation, if it is this one.
pub(super) fn get_pinned(bucket: &str, source: Pinned<'_>) -> GetObjectRequest {
    get(bucket, source.name).set_if_generation_match(source.generation)
}

/// Merges `metadata` with an update mask that names its keys, so that all others are untouched. A key that is in the
/// mask and not in the object is removed.
pub(super) fn update(
    bucket: &str,
    source: Pinned<'_>,
    metageneration: i64,
    metadata: &Metadata,
) -> UpdateObjectRequest {
    let paths = metadata.keys().map(|key| format!("metadata.{key}"));
    fenced_update(bucket, source, metageneration, merge([], metadata))
        .set_update_mask(FieldMask::default().set_paths(paths))
}

/// Puts `metadata` in the place of all custom metadata.
pub(super) fn replace_metadata(
    bucket: &str,
    source: Pinned<'_>,
    metageneration: i64,
    metadata: &Metadata,
) -> UpdateObjectRequest {
    fenced_update(bucket, source, metageneration, metadata.clone())
        .set_update_mask(FieldMask::default().set_paths(["metadata"]))
}

/// Whether an update mask can name this key of the metadata. In a mask's path a dot separates fields; what other
/// characters a path may hold is not documented, so only the usual ones are relied on.
pub(super) fn is_maskable(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Renames within the bucket, onto a free name, an object whose metadata are the ones meant too.
pub(super) fn rename(
    bucket: &str,
    source: Pinned<'_>,
    metageneration: i64,
    destination: &str,
) -> MoveObjectRequest {
    MoveObjectRequest::new()
        .set_bucket(bucket)
        .set_source_object(source.name)
        .set_destination_object(destination)
        .set_if_source_generation_match(source.generation)
        .set_if_source_metageneration_match(metageneration)
        .set_if_generation_match(NO_OBJECT)
}

/// One step of a copy, onto a free name; all metadata is the source's.
pub(super) fn rewrite(
    bucket: &str,
    source: Pinned<'_>,
    to_bucket: &str,
    destination: &str,
    token: Option<&str>,
) -> RewriteObjectRequest {
    RewriteObjectRequest::new()
        .set_source_bucket(bucket)
        .set_source_object(source.name)
        .set_destination_bucket(to_bucket)
        .set_destination_name(destination)
        .set_if_source_generation_match(source.generation)
        .set_if_generation_match(NO_OBJECT)
        .set_rewrite_token(token.unwrap_or_default())
}

/// The same with `metadata` merged into what `found`, the source as just read, has.
///
/// A destination resource replaces every property, so all that describe the content are carried over. The storage
/// class and the encryption key are the destination bucket's to choose, and holds and retention never travel. What
/// was read is a condition: metadata changed in between must not get lost in the copy.
pub(super) fn with_metadata(
    request: RewriteObjectRequest,
    found: Resource,
    metadata: &Metadata,
) -> RewriteObjectRequest {
    let merged = merge(found.metadata, metadata);
    request.set_if_source_metageneration_match(found.metageneration).set_destination(
        Resource::new()
            .set_content_type(found.content_type)
            .set_content_encoding(found.content_encoding)
            .set_content_disposition(found.content_disposition)
            .set_content_language(found.content_language)
            .set_cache_control(found.cache_control)
            .set_or_clear_custom_time(found.custom_time)
            .set_or_clear_contexts(found.contexts)
            .set_metadata(merged),
    )
}

/// Deletes the live object; on a versioned bucket it becomes noncurrent.
pub(super) fn delete(bucket: &str, source: Pinned<'_>) -> DeleteObjectRequest {
    DeleteObjectRequest::new()
        .set_bucket(bucket)
        .set_object(source.name)
        .set_if_generation_match(source.generation)
}

/// An update of this generation's custom metadata, fenced twice.
fn fenced_update<I>(
    bucket: &str,
    source: Pinned<'_>,
    metageneration: i64,
    metadata: I,
) -> UpdateObjectRequest
where
    I: IntoIterator<Item = (String, String)>,
{
    let resource = Resource::new().set_bucket(bucket).set_name(source.name).set_metadata(metadata);
    UpdateObjectRequest::new()
        .set_object(resource)
        .set_if_generation_match(source.generation)
        .set_if_metageneration_match(metageneration)
}

#[cfg(test)]
mod tests;
