//! What the emulator has not is refused: it is neither missing nor ignored.

use serde_json::{Value, json};
use tonic::Code;

use super::*;

const CALLS: &str = "
POST /storage/v1/b/some-bucket/o/a/compose
GET /storage/v1/b/some-bucket/o/a/acl
POST /storage/v1/b/some-bucket/o/a/acl
DELETE /storage/v1/b/some-bucket/o/a/acl/allUsers
POST /storage/v1/b/some-bucket/o/a/restore
GET /storage/v1/b/some-bucket/acl
PUT /storage/v1/b/some-bucket/acl/allUsers
GET /storage/v1/b/some-bucket/defaultObjectAcl
GET /storage/v1/b/some-bucket/iam
PUT /storage/v1/b/some-bucket/iam
GET /storage/v1/b/some-bucket/iam/testPermissions?permissions=storage.objects.get
GET /storage/v1/b/some-bucket/notificationConfigs
POST /storage/v1/b/some-bucket/notificationConfigs
DELETE /storage/v1/b/some-bucket/notificationConfigs/1
POST /storage/v1/b/some-bucket/lockRetentionPolicy
GET /storage/v1/b/some-bucket/folders
GET /storage/v1/b/some-bucket/storageLayout
POST /batch/storage/v1
PATCH /storage/v1/b/some-bucket
PUT /storage/v1/b/some-bucket
GET /storage/v1/b/some-bucket/o?matchGlob=*
GET /storage/v1/b/some-bucket/o/a?softDeleted=true
POST /upload/storage/v1/b/some-bucket/o?uploadType=media&name=n&predefinedAcl=publicRead
POST /upload/storage/v1/b/some-bucket/o?uploadType=media&name=n&kmsKeyName=k
POST /storage/v1/b/some-bucket/o/a/copyTo/b/some-bucket/o/n?destinationPredefinedAcl=publicRead
POST /storage/v1/b/some-bucket/o/a/copyTo/b/some-bucket/o/n?destinationKmsKeyName=k
";

async fn refused(request: reqwest::RequestBuilder) {
    let answer = request.send().await.unwrap();
    let (url, status) = (answer.url().clone(), answer.status());
    let error: Value = answer.json().await.unwrap();
    assert_eq!(status, 501, "{url}: {error}");
    assert_eq!(error["error"]["errors"][0]["reason"], "notImplemented");
}

#[tokio::test]
async fn calls_and_parameters_that_the_emulator_has_not_are_not_implemented() {
    let emulator = start().await;
    emulator.storage().put("a", "1").unwrap();
    for line in CALLS.trim().lines() {
        let (method, path) = line.split_once(' ').unwrap();
        let url = emulator.url().join(path).unwrap();
        refused(http().request(method.parse().unwrap(), url).body("{}")).await;
    }
    assert_eq!(emulator.storage().list("").unwrap().len(), 1);
}

#[tokio::test]
async fn a_customers_key_is_refused_with_every_call() {
    let emulator = start().await;
    emulator.storage().put("a", "1").unwrap();
    for header in [
        "x-goog-encryption-key",
        "x-goog-encryption-algorithm",
        "x-goog-copy-source-encryption-key",
    ] {
        for request in [
            http().get(url(&emulator, "/o/a")),
            http().get(url(&emulator, "/o")),
            http().post(url(&emulator, "/o/a/rewriteTo/b/some-bucket/o/b")),
            http().post(upload_url(&emulator, "uploadType=media&name=n")).body("1"),
            http().post(upload_url(&emulator, "uploadType=resumable&name=n")).body("{}"),
        ] {
            refused(request.header(header, "k")).await;
        }
    }
    let content = http().get(url(&emulator, "/o/a?alt=media")).header("x-goog-encryption-key", "k");
    assert_eq!(content.send().await.unwrap().status(), 501);
}

#[tokio::test]
async fn a_setting_that_would_change_what_a_bucket_does_is_refused() {
    let emulator = start().await;
    let root = format!("{}storage/v1/b", emulator.url());
    for (field, value) in [
        ("encryption", json!({"defaultKmsKeyName": "k"})),
        ("lifecycle", json!({"rule": [{"action": {"type": "Delete"}, "condition": {"age": 1}}]})),
        ("defaultEventBasedHold", json!(true)),
        ("hierarchicalNamespace", json!({"enabled": true})),
        ("autoclass", json!({"enabled": true})),
        ("versioning", json!({"enabled": true})),
        ("billing", json!({"requesterPays": true})),
    ] {
        refused(http().post(&root).json(&json!({"name": "third-bucket", field: value}))).await;
    }
    refused(
        http()
            .post(format!("{root}?enableObjectRetention=true"))
            .json(&json!({"name": "third-bucket"})),
    )
    .await;
    let mut client = grpc(&emulator).await;
    for bucket in [
        wire::Bucket { lifecycle: "x".into(), ..Default::default() },
        wire::Bucket { encryption: "x".into(), ..Default::default() },
        wire::Bucket { hierarchical_namespace: "x".into(), ..Default::default() },
        wire::Bucket { default_event_based_hold: true, ..Default::default() },
    ] {
        let request = wire::CreateBucketRequest {
            parent: "projects/_".into(),
            bucket_id: "third-bucket".into(),
            bucket: Some(bucket),
            ..Default::default()
        };
        let refused = client.create_bucket(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{refused}");
    }
}

#[tokio::test]
async fn a_field_that_would_change_what_an_object_is_is_refused() {
    let emulator = start().await;
    emulator.storage().put("a", "1").unwrap();
    for field in [
        json!({"kmsKeyName": "k"}),
        json!({"retention": {"mode": "Unlocked", "retainUntilTime": "2030-01-01T00:00:00Z"}}),
        json!({"acl": [{"entity": "allUsers", "role": "READER"}]}),
        json!({"contexts": {"custom": {"k": {"value": "v"}}}}),
    ] {
        refused(http().patch(url(&emulator, "/o/a")).json(&field)).await;
        refused(http().post(upload_url(&emulator, "uploadType=resumable&name=n")).json(&field))
            .await;
        refused(http().post(url(&emulator, "/o/a/rewriteTo/b/some-bucket/o/b")).json(&field)).await;
    }
    let list =
        wire::ListObjectsRequest { parent: RESOURCE.into(), versions: true, ..Default::default() };
    let refused = grpc(&emulator).await.list_objects(list).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}
