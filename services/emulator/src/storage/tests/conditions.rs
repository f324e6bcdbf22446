use tonic::Code;

use super::*;

#[tokio::test]
async fn a_move_keeps_content_and_metadata_and_is_a_new_generation() {
    let emulator = start().await;
    let mut client = grpc(&emulator).await;
    let storage = emulator.storage();
    let before = storage.put("in/a", "content").unwrap();
    storage
        .bucket(BUCKET)
        .edit("in/a", |to| {
            to.metadata.insert("key".into(), "value".into());
            to.content_type = "text/csv".into();
        })
        .unwrap();

    let moved = client
        .move_object(pinned_move("in/a", "done/a", before))
        .await
        .unwrap()
        .into_inner();
    assert!(moved.generation > before);
    assert_eq!(moved.metageneration, 1);
    assert_eq!(moved.metadata["key"], "value");
    assert_eq!(moved.content_type, "text/csv");
    assert_eq!(
        moved.checksums.unwrap().crc32c,
        Some(crc32c::crc32c(b"content"))
    );
    assert_eq!(storage.read("done/a").unwrap().unwrap(), "content");
    assert_eq!(list(&mut client, "").await, ["done/a"]);
}

#[tokio::test]
async fn a_move_checks_each_end_by_its_own_conditions() {
    let emulator = start().await;
    let mut client = grpc(&emulator).await;
    let source = emulator.storage().put("a", "1").unwrap();
    let taken = emulator.storage().put("b", "2").unwrap();

    let mut move_it = async |request| {
        client
            .move_object(request)
            .await
            .map_err(|status| status.code())
    };
    let stale = pinned_move("a", "c", source - 1);
    assert_eq!(move_it(stale).await.unwrap_err(), Code::FailedPrecondition);
    let other_metadata = wire::MoveObjectRequest {
        if_source_metageneration_match: Some(2),
        ..pinned_move("a", "c", source)
    };
    assert_eq!(
        move_it(other_metadata).await.unwrap_err(),
        Code::FailedPrecondition
    );
    let onto_taken = pinned_move("a", "b", source);
    assert_eq!(
        move_it(onto_taken.clone()).await.unwrap_err(),
        Code::FailedPrecondition
    );
    // The generation that is right for the source is wrong for the destination.
    let mixed_up = wire::MoveObjectRequest {
        if_generation_match: Some(source),
        ..onto_taken.clone()
    };
    assert_eq!(
        move_it(mixed_up).await.unwrap_err(),
        Code::FailedPrecondition
    );
    let gone = pinned_move("nothing", "c", source);
    assert_eq!(move_it(gone).await.unwrap_err(), Code::NotFound);
    let over = wire::MoveObjectRequest {
        if_generation_match: Some(taken),
        ..onto_taken
    };
    let moved = move_it(over).await.unwrap().into_inner();
    assert!(moved.generation > taken.max(source));
    assert_eq!(emulator.storage().read("b").unwrap().unwrap(), "1");
    assert!(emulator.storage().get("a").unwrap().is_none());
}

#[tokio::test]
async fn a_move_onto_itself_is_refused() {
    let emulator = start().await;
    let generation = emulator.storage().put("a", "1").unwrap();
    let refused = grpc(&emulator)
        .await
        .move_object(pinned_move("a", "a", generation))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_deletion_is_fenced_by_generation() {
    let emulator = start().await;
    let mut client = grpc(&emulator).await;
    let old = emulator.storage().put("a", "1").unwrap();
    let new = emulator.storage().put("a", "2").unwrap();
    assert!(new > old);
    let delete = |generation| wire::DeleteObjectRequest {
        bucket: RESOURCE.into(),
        object: "a".into(),
        if_generation_match: Some(generation),
        ..Default::default()
    };
    let stale = client.delete_object(delete(old)).await.unwrap_err();
    assert_eq!(stale.code(), Code::FailedPrecondition);
    let by_generation = wire::DeleteObjectRequest {
        generation: old,
        if_generation_match: None,
        ..delete(0)
    };
    assert_eq!(
        client
            .delete_object(by_generation)
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    client.delete_object(delete(new)).await.unwrap();
    assert_eq!(
        client.delete_object(delete(new)).await.unwrap_err().code(),
        Code::NotFound
    );
}

#[tokio::test]
async fn missing_buckets_and_missing_objects_have_their_own_messages() {
    let emulator = start().await;
    let mut client = grpc(&emulator).await;
    let no_object = get(&mut client, "a").await.unwrap_err();
    assert_eq!(
        (no_object.code(), no_object.message()),
        (Code::NotFound, "No such object: some-bucket/a")
    );
    let request = wire::ListObjectsRequest {
        parent: "projects/_/buckets/nowhere".into(),
        ..Default::default()
    };
    let no_bucket = client.list_objects(request).await.unwrap_err();
    assert_eq!(no_bucket.code(), Code::NotFound);
    assert_eq!(no_bucket.message(), "The specified bucket does not exist.");
    let request = wire::ListObjectsRequest {
        parent: BUCKET.into(),
        ..Default::default()
    };
    assert_eq!(
        client.list_objects(request).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn an_update_touches_what_its_mask_names() {
    let emulator = start().await;
    let mut client = grpc(&emulator).await;
    let generation = emulator.storage().put("a", "1").unwrap();
    emulator
        .storage()
        .bucket(BUCKET)
        .edit("a", |to| {
            to.metadata = [("kept", "1"), ("changed", "1"), ("gone", "1")]
                .map(|(k, v)| (k.into(), v.into()))
                .into();
        })
        .unwrap();
    let object = wire::Object {
        bucket: RESOURCE.into(),
        name: "a".into(),
        metadata: [
            ("changed".into(), "2".into()),
            ("new".into(), "2".into()),
            ("unnamed".into(), "2".into()),
        ]
        .into(),
        content_type: "unnamed".into(),
        ..Default::default()
    };
    let update = |paths: &[&str]| wire::UpdateObjectRequest {
        object: Some(object.clone()),
        if_generation_match: Some(generation),
        if_metageneration_match: Some(2),
        update_mask: Some(prost_types::FieldMask {
            paths: paths.iter().map(|&p| p.into()).collect(),
        }),
        ..Default::default()
    };
    for wrong in [
        &[][..],
        &["size"],
        &["metadata."],
        &["metadata.changed", "name"],
    ] {
        let refused = client.update_object(update(wrong)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{wrong:?}");
    }
    let paths = ["metadata.changed", "metadata.new", "metadata.gone"];
    let changed = client
        .update_object(update(&paths))
        .await
        .unwrap()
        .into_inner();
    let metadata: Vec<_> = changed
        .metadata
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(metadata, ["changed=2", "kept=1", "new=2"]);
    assert_eq!(
        (changed.generation, changed.metageneration),
        (generation, 3)
    );
    assert_eq!(changed.content_type, "");
    let stale = client.update_object(update(&paths)).await.unwrap_err();
    assert_eq!(stale.code(), Code::FailedPrecondition);
    let whole = wire::UpdateObjectRequest {
        if_metageneration_match: Some(3),
        ..update(&["metadata"])
    };
    let replaced = client.update_object(whole).await.unwrap().into_inner();
    assert_eq!(replaced.metadata.len(), 3);
    assert_eq!(replaced.metadata["unnamed"], "2");
}

#[tokio::test]
async fn a_read_mask_keeps_named_fields_alone() {
    let emulator = start().await;
    emulator.storage().put("a", "1").unwrap();
    let request = wire::ListObjectsRequest {
        parent: RESOURCE.into(),
        read_mask: Some(prost_types::FieldMask {
            paths: vec!["name".into(), "size".into()],
        }),
        ..Default::default()
    };
    let page = grpc(&emulator)
        .await
        .list_objects(request)
        .await
        .unwrap()
        .into_inner();
    let want = wire::Object {
        name: "a".into(),
        size: 1,
        ..Default::default()
    };
    assert_eq!(page.objects, [want]);
}

#[tokio::test]
async fn a_get_of_what_the_caller_knows_is_not_modified() {
    let emulator = start().await;
    let generation = emulator.storage().put("a", "1").unwrap();
    let request = wire::GetObjectRequest {
        bucket: RESOURCE.into(),
        object: "a".into(),
        if_generation_not_match: Some(generation),
        ..Default::default()
    };
    let known = grpc(&emulator).await.get_object(request).await.unwrap_err();
    assert_eq!(known.code(), Code::Aborted);
    let query = format!("/o/a?ifGenerationNotMatch={generation}");
    let known = http().get(url(&emulator, &query)).send().await.unwrap();
    assert_eq!(known.status(), 304);
    assert_eq!(known.text().await.unwrap(), "");
}

#[tokio::test]
async fn buckets_are_made_listed_and_deleted_when_empty() {
    let emulator = start().await;
    let mut client = grpc(&emulator).await;
    let create = wire::CreateBucketRequest {
        parent: "projects/_".into(),
        bucket_id: "third-bucket".into(),
        ..Default::default()
    };
    let made = client
        .create_bucket(create.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(made.name, "projects/_/buckets/third-bucket");
    assert_eq!(
        client.create_bucket(create).await.unwrap_err().code(),
        Code::AlreadyExists
    );
    let request = wire::ListBucketsRequest {
        page_size: 2,
        ..Default::default()
    };
    let page = client.list_buckets(request).await.unwrap().into_inner();
    let names: Vec<_> = page
        .buckets
        .iter()
        .map(|bucket| bucket.bucket_id.as_str())
        .collect();
    assert_eq!(
        (names, page.next_page_token.as_str()),
        (vec!["other-bucket", BUCKET], "third-bucket")
    );

    emulator
        .storage()
        .bucket("third-bucket")
        .put("a", "")
        .unwrap();
    let delete = wire::DeleteBucketRequest {
        name: made.name,
        ..Default::default()
    };
    let full = client.delete_bucket(delete.clone()).await.unwrap_err();
    assert_eq!(full.code(), Code::FailedPrecondition);
    emulator
        .storage()
        .bucket("third-bucket")
        .remove("a")
        .unwrap();
    client.delete_bucket(delete.clone()).await.unwrap();
    let get = wire::GetBucketRequest {
        name: delete.name,
        ..Default::default()
    };
    assert_eq!(
        client.get_bucket(get).await.unwrap_err().code(),
        Code::NotFound
    );
}
