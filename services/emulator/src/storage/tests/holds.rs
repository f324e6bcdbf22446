use std::time::Duration;

use tonic::Code;

use super::*;

#[tokio::test]
async fn a_retention_policy_keeps_objects() {
    let emulator = start().await;
    emulator.storage().put("kept", "1").unwrap();
    emulator.storage().put("other", "1").unwrap();
    let mut client = grpc(&emulator).await;
    emulator.storage().bucket(BUCKET).set_retention(Some(Duration::from_hours(1))).unwrap();
    let kept = get(&mut client, "kept").await.unwrap();
    let (from, until) = (kept.create_time.unwrap(), kept.retention_expire_time.unwrap());
    assert_eq!(until.seconds - from.seconds, 3_600);
    let refused =
        client.move_object(pinned_move("kept", "free", kept.generation)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().starts_with(
        "Object 'some-bucket/kept' is subject to bucket's retention policy or object retention and cannot be deleted or \
         overwritten until "
    ));
    let deleted = http().delete(url(&emulator, "/o/kept")).send().await.unwrap();
    assert_eq!(deleted.status(), 403);
    let error: serde_json::Value = deleted.json().await.unwrap();
    assert_eq!(error["error"]["errors"][0]["reason"], "retentionPolicyNotMet");
    emulator.storage().bucket(BUCKET).set_retention(None).unwrap();
    client.move_object(pinned_move("kept", "free", kept.generation)).await.unwrap();
}
