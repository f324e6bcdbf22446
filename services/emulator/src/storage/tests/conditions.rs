use tonic::Code;

use super::*;

#[tokio::test]
async fn a_move_checks_each_end_by_its_own_conditions() {
    let emulator = start().await;
    let mut client = grpc(&emulator).await;
    let source = emulator.storage().put("a", "1").unwrap();
    let taken = emulator.storage().put("b", "2").unwrap();
    // The generation that is right for the source is wrong for the destination.
    for (destination, code) in [(Some(source), Some(Code::FailedPrecondition)), (Some(taken), None)]
    {
        let request = wire::MoveObjectRequest {
            if_generation_match: destination,
            ..pinned_move("a", "b", source)
        };
        let moved = client.move_object(request).await;
        assert_eq!(moved.err().map(|status| status.code()), code);
    }
    assert_eq!(emulator.storage().read("b").unwrap().unwrap(), "1");
    assert!(emulator.storage().get("a").unwrap().is_none());
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
    for wrong in [&[][..], &["size"], &["metadata."], &["metadata.changed", "name"]] {
        let refused = client.update_object(update(wrong)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{wrong:?}");
    }
    let paths = ["metadata.changed", "metadata.new", "metadata.gone"];
    let changed = client.update_object(update(&paths)).await.unwrap().into_inner();
    let metadata: Vec<_> = changed.metadata.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(metadata, ["changed=2", "kept=1", "new=2"]);
    assert_eq!((changed.generation, changed.metageneration), (generation, 3));
    assert_eq!(changed.content_type, "");
    let stale = client.update_object(update(&paths)).await.unwrap_err();
    assert_eq!(stale.code(), Code::FailedPrecondition);
    let whole =
        wire::UpdateObjectRequest { if_metageneration_match: Some(3), ..update(&["metadata"]) };
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
        read_mask: Some(prost_types::FieldMask { paths: vec!["name".into(), "size".into()] }),
        ..Default::default()
    };
    let page = grpc(&emulator).await.list_objects(request).await.unwrap().into_inner();
    let want = wire::Object { name: "a".into(), size: 1, ..Default::default() };
    assert_eq!(page.objects, [want]);
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
    let made = client.create_bucket(create.clone()).await.unwrap().into_inner();
    assert_eq!(made.name, "projects/_/buckets/third-bucket");
    assert_eq!(client.create_bucket(create).await.unwrap_err().code(), Code::AlreadyExists);
    let request = wire::ListBucketsRequest { page_size: 2, ..Default::default() };
    let page = client.list_buckets(request).await.unwrap().into_inner();
    let names: Vec<_> = page.buckets.iter().map(|bucket| bucket.bucket_id.as_str()).collect();
    assert_eq!(
        (names, page.next_page_token.as_str()),
        (vec!["other-bucket", BUCKET], "third-bucket")
    );

    emulator.storage().bucket("third-bucket").put("a", "").unwrap();
    let delete = wire::DeleteBucketRequest { name: made.name, ..Default::default() };
    let full = client.delete_bucket(delete.clone()).await.unwrap_err();
    assert_eq!(full.code(), Code::FailedPrecondition);
    emulator.storage().bucket("third-bucket").remove("a").unwrap();
    client.delete_bucket(delete.clone()).await.unwrap();
    let get = wire::GetBucketRequest { name: delete.name, ..Default::default() };
    assert_eq!(client.get_bucket(get).await.unwrap_err().code(), Code::NotFound);
}
