use std::time::Duration;

use tonic::Code;

use super::*;

async fn refusals(emulator: &Emulator, name: &str) -> Vec<Status> {
    let mut client = grpc(emulator).await;
    let generation = emulator.storage().get(name).unwrap().unwrap().generation;
    let other = emulator.storage().put("other", "").unwrap();
    let delete = wire::DeleteObjectRequest {
        bucket: RESOURCE.into(),
        object: name.into(),
        if_generation_match: Some(generation),
        ..Default::default()
    };
    let over = wire::MoveObjectRequest {
        if_generation_match: None,
        ..pinned_move("other", name, other)
    };
    vec![
        client.delete_object(delete).await.unwrap_err(),
        client
            .move_object(pinned_move(name, "free", generation))
            .await
            .unwrap_err(),
        client.move_object(over).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn held_objects_are_neither_deleted_nor_moved_nor_replaced() {
    for (hold, word) in [
        ("temporary_hold", "Temporary"),
        ("event_based_hold", "Event-Based"),
    ] {
        let emulator = start().await;
        emulator.storage().put("held", "1").unwrap();
        let object = wire::Object {
            bucket: RESOURCE.into(),
            name: "held".into(),
            temporary_hold: true,
            event_based_hold: Some(true),
            ..Default::default()
        };
        let update = wire::UpdateObjectRequest {
            object: Some(object),
            update_mask: Some(prost_types::FieldMask {
                paths: vec![hold.into()],
            }),
            ..Default::default()
        };
        grpc(&emulator).await.update_object(update).await.unwrap();
        for refused in refusals(&emulator, "held").await {
            assert_eq!(refused.code(), Code::PermissionDenied, "{hold}");
            let want = format!(
                "Object 'some-bucket/held' is under active {word} hold and cannot be deleted, overwritten or archived \
                 until hold is removed."
            );
            assert_eq!(refused.message(), want);
        }
        let upload = http()
            .post(upload_url(&emulator, "uploadType=media&name=held"))
            .body("2");
        let refused = upload.send().await.unwrap();
        assert_eq!(refused.status(), 403);
        let error: serde_json::Value = refused.json().await.unwrap();
        assert_eq!(error["error"]["errors"][0]["reason"], "forbidden");
    }
}

#[tokio::test]
async fn a_condition_is_checked_before_a_hold() {
    let emulator = start().await;
    let generation = emulator.storage().put("held", "1").unwrap();
    emulator
        .storage()
        .bucket(BUCKET)
        .edit("held", |to| to.temporary_hold = true)
        .unwrap();
    let stale = grpc(&emulator)
        .await
        .move_object(pinned_move("held", "free", generation - 1))
        .await;
    assert_eq!(stale.unwrap_err().code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_retention_policy_keeps_objects() {
    let emulator = start().await;
    emulator.storage().put("kept", "1").unwrap();
    emulator.storage().put("other", "1").unwrap();
    let mut client = grpc(&emulator).await;
    emulator
        .storage()
        .bucket(BUCKET)
        .set_retention(Some(Duration::from_hours(1)))
        .unwrap();
    let kept = get(&mut client, "kept").await.unwrap();
    let (from, until) = (
        kept.create_time.unwrap(),
        kept.retention_expire_time.unwrap(),
    );
    assert_eq!(until.seconds - from.seconds, 3_600);
    let refused = client
        .move_object(pinned_move("kept", "free", kept.generation))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().starts_with(
        "Object 'some-bucket/kept' is subject to bucket's retention policy or object retention and cannot be deleted or \
         overwritten until "
    ));
    let deleted = http()
        .delete(url(&emulator, "/o/kept"))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.status(), 403);
    let error: serde_json::Value = deleted.json().await.unwrap();
    assert_eq!(
        error["error"]["errors"][0]["reason"],
        "retentionPolicyNotMet"
    );
    emulator
        .storage()
        .bucket(BUCKET)
        .set_retention(None)
        .unwrap();
    client
        .move_object(pinned_move("kept", "free", kept.generation))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_held_object_is_copied_and_its_copy_is_free() {
    let emulator = start().await;
    emulator.storage().put("held", "1").unwrap();
    emulator
        .storage()
        .bucket(BUCKET)
        .edit("held", |to| to.temporary_hold = true)
        .unwrap();
    let request = wire::RewriteObjectRequest {
        source_bucket: RESOURCE.into(),
        source_object: "held".into(),
        destination_bucket: RESOURCE.into(),
        destination_name: "copy".into(),
        ..Default::default()
    };
    let done = grpc(&emulator)
        .await
        .rewrite_object(request)
        .await
        .unwrap()
        .into_inner();
    assert!(done.done && !done.resource.unwrap().temporary_hold);
    emulator.storage().remove("copy").unwrap();
}
