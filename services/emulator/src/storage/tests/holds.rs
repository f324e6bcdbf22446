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

#[tokio::test]
async fn a_retention_period_begins_when_an_event_based_hold_is_released() {
    let emulator = start().await;
    let bucket = emulator.storage().bucket(BUCKET);
    bucket.set_retention(Some(Duration::from_hours(1))).unwrap();
    bucket.put("a", "1").unwrap();
    let held = bucket.edit("a", |to| to.event_based_hold = true).unwrap();
    assert_eq!(held.retention_expires, None, "it has not begun");
    let resource: serde_json::Value =
        http().get(url(&emulator, "/o/a")).send().await.unwrap().json().await.unwrap();
    assert_eq!(resource["retentionExpirationTime"], serde_json::Value::Null);
    let released = bucket.edit("a", |to| to.event_based_hold = false).unwrap();
    let expires = released.retention_expires.unwrap();
    assert_eq!(expires.duration_since(released.updated).unsigned_abs(), Duration::from_hours(1));
    let refused = http().delete(url(&emulator, "/o/a")).send().await.unwrap();
    assert_eq!(refused.status(), 403);
}

#[tokio::test]
async fn a_retention_period_is_between_a_second_and_a_hundred_years() {
    let emulator = start().await;
    let root = format!("{}storage/v1/b", emulator.url());
    for (period, status) in [("0", 400), ("3155760001", 400), ("1", 200)] {
        let wanted = serde_json::json!({"name": "third-bucket", "retentionPolicy": {"retentionPeriod": period}});
        let answer = http().post(&root).json(&wanted).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{period}");
    }
}
