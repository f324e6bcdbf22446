use google_cloud_storage::model::Object as Resource;

use super::*;

const BUCKET: &str = "projects/_/buckets/b";
const SOURCE: Pinned<'static> = Pinned { name: "in/a", generation: 7 };

fn metadata(pairs: &[(&str, &str)]) -> Metadata {
    pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

#[test]
fn a_rename_needs_the_sources_generations_and_a_free_destination() {
    let request = rename(BUCKET, SOURCE, 3, "out/a");
    assert_eq!(request.if_source_generation_match, Some(7));
    assert_eq!(request.if_source_metageneration_match, Some(3));
    assert_eq!(request.if_generation_match, Some(0));
    assert_eq!(request.source_object, "in/a");
    assert_eq!(request.destination_object, "out/a");
    assert_eq!(request.bucket, BUCKET);
}

#[test]
fn a_rewrite_is_pinned_by_condition_and_never_by_selecting_a_version() {
    let request = rewrite(BUCKET, SOURCE, "projects/_/buckets/c", "out/a", Some("t"));
    assert_eq!(request.if_source_generation_match, Some(7));
    assert_eq!(request.source_generation, 0);
    assert_eq!(request.if_generation_match, Some(0));
    assert_eq!(request.rewrite_token, "t");
    assert_eq!(request.destination, None, "all metadata is the source's");
}

#[test]
fn a_rewrite_with_metadata_carries_over_all_that_describes_the_content() {
    let found = Resource::new()
        .set_metageneration(3)
        .set_content_type("text/csv")
        .set_content_encoding("gzip")
        .set_content_language("de")
        .set_cache_control("no-store")
        .set_content_disposition("attachment")
        .set_temporary_hold(true)
        .set_storage_class("COLDLINE")
        .set_metadata([("kept", "1"), ("changed", "old"), ("removed", "x")]);
    let merged = metadata(&[("changed", "new"), ("removed", ""), ("added", "2")]);

    let request = rewrite(BUCKET, SOURCE, BUCKET, "out/a", None);
    let request = with_metadata(request, found, &merged);

    assert_eq!(request.if_source_metageneration_match, Some(3));
    assert_eq!(request.if_source_generation_match, Some(7));
    let destination = request.destination.unwrap();
    assert_eq!(destination.content_type, "text/csv");
    assert_eq!(destination.content_encoding, "gzip");
    assert_eq!(destination.content_language, "de");
    assert_eq!(destination.cache_control, "no-store");
    assert_eq!(destination.content_disposition, "attachment");
    assert!(!destination.temporary_hold, "a hold does not travel");
    assert_eq!(destination.storage_class, "", "the bucket's to choose");
    let got: Metadata = destination.metadata.into_iter().collect();
    assert_eq!(got, metadata(&[("kept", "1"), ("changed", "new"), ("added", "2")]));
}

#[test]
fn a_delete_is_conditional_and_never_names_a_version() {
    let request = delete(BUCKET, SOURCE);
    assert_eq!(request.if_generation_match, Some(7));
    assert_eq!(request.generation, 0);
}

#[test]
fn an_update_is_fenced_twice_and_touches_the_named_keys_only() {
    let change = metadata(&[("brigade-status", "failed"), ("gone", "")]);
    let request = update(BUCKET, SOURCE, 2, &change);
    assert_eq!(request.if_generation_match, Some(7));
    assert_eq!(request.if_metageneration_match, Some(2));
    assert_eq!(request.update_mask.unwrap().paths, ["metadata.brigade-status", "metadata.gone"]);
    let object = request.object.unwrap();
    assert_eq!(object.generation, 0);
    let sent: Metadata = object.metadata.into_iter().collect();
    assert_eq!(sent, metadata(&[("brigade-status", "failed")]));
}

#[test]
fn replacing_metadata_is_fenced_twice() {
    let request = replace_metadata(BUCKET, SOURCE, 2, &metadata(&[("a.b", "1")]));
    assert_eq!(request.if_generation_match, Some(7));
    assert_eq!(request.if_metageneration_match, Some(2));
    assert_eq!(request.update_mask.unwrap().paths, ["metadata"]);
}

#[test]
fn keys_that_a_mask_could_misread_are_not_put_into_one() {
    for key in ["brigade-status", "a_b", "X9"] {
        assert!(is_maskable(key), "{key}");
    }
    for key in ["", "a.b", "a,b", "a b", "ä", "`a`"] {
        assert!(!is_maskable(key), "{key}");
    }
}

#[test]
fn a_listing_asks_for_live_objects() {
    let request = list(
        BUCKET,
        &ListRequest {
            prefix: "in/".into(),
            start: "in/b".into(),
            page_size: 5,
            page_token: "t".into(),
        },
    );
    assert!(!request.versions && !request.soft_deleted);
    assert_eq!(request.parent, BUCKET);
    assert_eq!((request.page_size, request.page_token.as_str()), (5, "t"));
    assert_eq!(request.lexicographic_start, "in/b");
    assert_eq!(request.delimiter, "");
}
