//! Calls without the permission are refused when roles are given.

use tonic::{Code, metadata::MetadataValue};

use super::*;
use crate::storage::grpc::control::{self, storage_control_client::StorageControlClient};
use brigade_model::Permission;

pub(super) const POLLER: &str = "poller@brigade-dev.iam.gserviceaccount.com";
const OTHER: &str = "other@brigade-dev.iam.gserviceaccount.com";

/// The poller as it is deployed: it moves and marks, and deletes its lease alone.
async fn deployed() -> Emulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let all = [
        Permission::List,
        Permission::Get,
        Permission::Update,
        Permission::Move,
        Permission::Create,
    ];
    let google = Emulator::builder()
        .bucket(BUCKET)
        .role(POLLER, &all, "")
        .role(POLLER, &[Permission::Delete], ".brigade/")
        .service_account(OTHER)
        .start(listener)
        .await
        .unwrap();
    for name in ["incoming/a", "incoming/b", "processed/b", ".brigade/lease"] {
        google.storage().put(name, "x").unwrap();
    }
    google
}

pub(super) async fn token(google: &Emulator, account: &str) -> String {
    let path = format!("computeMetadata/v1/instance/service-accounts/{account}/token");
    let request = http().get(google.url().join(&path).unwrap()).header("Metadata-Flavor", "Google");
    let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

/// A request with a token.
pub(super) fn by<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = MetadataValue::try_from(format!("Bearer {token}")).unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

fn delete(name: &str) -> wire::DeleteObjectRequest {
    wire::DeleteObjectRequest { bucket: RESOURCE.into(), object: name.into(), ..Default::default() }
}

fn move_over(from: &str, to: &str) -> wire::MoveObjectRequest {
    wire::MoveObjectRequest {
        bucket: RESOURCE.into(),
        source_object: from.into(),
        destination_object: to.into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_call_without_its_permission_is_denied_with_googles_message() {
    let google = deployed().await;
    let mut client = grpc(&google).await;
    let poller = token(&google, POLLER).await;
    let denied = client.delete_object(by(&poller, delete("incoming/a")));
    let denied = denied.await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    assert_eq!(
        denied.message(),
        format!(
            "{POLLER} does not have storage.objects.delete access to the Google Cloud Storage object. Permission \
             'storage.objects.delete' denied on resource (or it may not exist)."
        )
    );
    let lease = client.delete_object(by(&poller, delete(".brigade/lease")));
    lease.await.unwrap();
    assert!(google.storage().get("incoming/a").unwrap().is_some());
}

#[tokio::test]
async fn a_move_needs_no_delete_unless_it_replaces() {
    let google = deployed().await;
    let mut client = grpc(&google).await;
    let poller = token(&google, POLLER).await;
    let generation = google.storage().get("incoming/a").unwrap().unwrap().generation;
    let free = pinned_move("incoming/a", "processed/a", generation);
    client.move_object(by(&poller, free)).await.unwrap();

    let generation = google.storage().get("incoming/b").unwrap().unwrap().generation;
    let taken = pinned_move("incoming/b", "processed/b", generation);
    let taken = client.move_object(by(&poller, taken)).await.unwrap_err();
    assert_eq!(taken.code(), Code::FailedPrecondition);
    let over = move_over("incoming/b", "processed/b");
    let over = client.move_object(by(&poller, over)).await.unwrap_err();
    assert_eq!(over.code(), Code::PermissionDenied);
    assert!(over.message().contains("storage.objects.delete"), "{over}");
}

#[tokio::test]
async fn accounts_without_roles_and_anonymous_callers_are_refused() {
    let google = deployed().await;
    let mut client = grpc(&google).await;
    let other = token(&google, OTHER).await;
    let request = wire::ListObjectsRequest { parent: RESOURCE.into(), ..Default::default() };
    let denied = client.list_objects(by(&other, request.clone())).await;
    let denied = denied.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    assert!(
        denied.message().contains("storage.objects.list access to the Google Cloud Storage bucket")
    );

    let anonymous = client.list_objects(request.clone()).await.unwrap_err();
    assert_eq!(anonymous.code(), Code::Unauthenticated);
    assert!(anonymous.message().starts_with("Anonymous caller does not have"));
    for token in ["ya29.emulator-0", "ya29.emulator-99", &google.identity().mint(POLLER, "x")] {
        let made_up = client.list_objects(by(token, request.clone())).await;
        assert_eq!(made_up.unwrap_err().code(), Code::Unauthenticated);
    }
}

#[tokio::test]
async fn each_call_asks_for_its_own_permission_over_json_too() {
    let calls = |b: &str, o: &str| {
        [
            (Permission::List, "GET", format!("{b}/o")),
            (Permission::Get, "GET", o.to_owned()),
            (Permission::Get, "GET", format!("{o}?alt=media")),
            (Permission::Update, "PATCH", o.to_owned()),
            (Permission::Move, "POST", format!("{o}/moveTo/o/z")),
            (Permission::Get, "POST", format!("{o}/rewriteTo/b/{BUCKET}/o/y")),
            (Permission::Delete, "DELETE", o.to_owned()),
            (Permission::GetBucket, "GET", b.to_owned()),
        ]
    };
    for (index, (needed, ..)) in calls("", "").into_iter().enumerate() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let google = Emulator::builder()
            .bucket(BUCKET)
            .role(POLLER, &[needed, Permission::Create], "")
            .role(OTHER, &[Permission::ListBuckets, Permission::Create], "")
            .start(listener)
            .await
            .unwrap();
        google.storage().put("a", "x").unwrap();
        let (_, method, url) = &calls(&url(&google, ""), &url(&google, "/o/a"))[index];
        let (poller, other) = (token(&google, POLLER).await, token(&google, OTHER).await);
        let call = async |token: &str| {
            let method = method.parse().unwrap();
            let request = http().request(method, url).bearer_auth(token).body("{}");
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        let (status, message) = call(&other).await;
        assert_eq!(status, 403, "{needed}: {message}");
        assert!(message.contains(&format!("Permission '{needed}' denied")), "{message}");
        let (status, message) = call(&poller).await;
        assert!((200..300).contains(&status), "{needed}: {status} {message}");
    }
}

#[tokio::test]
async fn an_upload_needs_create_alone_and_to_replace_needs_delete() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let builder = Emulator::builder().bucket(BUCKET);
    let builder = builder.role(POLLER, &[Permission::Create], "features/");
    let google = builder.start(listener).await.unwrap();
    let poller = token(&google, POLLER).await;
    let upload = async |how: &str, name: &str| {
        let url = upload_url(&google, &format!("uploadType={how}&name={name}"));
        let request = http().post(url).bearer_auth(&poller).body("");
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(upload("media", "features/a").await, 200);
    assert_eq!(upload("media", "features/a").await, 403);
    assert_eq!(upload("resumable", "features/b").await, 200);
    for how in ["media", "resumable"] {
        assert_eq!(upload(how, "incoming/a").await, 403);
    }
}

#[tokio::test]
async fn a_buckets_policy_is_the_roles_that_are_given_and_takes_its_own_permission() {
    let google = deployed().await;
    let ask = || control::GetIamPolicyRequest { resource: RESOURCE.into() };
    let mut client = StorageControlClient::connect(google.url().to_string()).await.unwrap();
    let poller = token(&google, POLLER).await;
    let denied = client.get_iam_policy(by(&poller, ask())).await.unwrap_err();
    assert_eq!(denied.code(), Code::PermissionDenied);
    assert!(denied.message().contains("'storage.buckets.getIamPolicy' denied"), "{denied}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let builder = Emulator::builder().bucket(BUCKET);
    let builder = builder
        .role(POLLER, &[Permission::List, Permission::Get], "")
        .role(OTHER, &[Permission::GetPolicy], "")
        .role(OTHER, &[Permission::Update], "incoming/");
    let google = builder.start(listener).await.unwrap();
    let mut client = StorageControlClient::connect(google.url().to_string()).await.unwrap();
    let other = token(&google, OTHER).await;
    let policy = client.get_iam_policy(by(&other, ask())).await.unwrap().into_inner();
    let lines = policy.bindings.iter().map(|binding| {
        let condition = binding.condition.clone().unwrap_or_default().expression;
        format!("{} {} {condition}", binding.role, binding.members.join(" "))
    });
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            format!("roles/storage.objectViewer serviceAccount:{POLLER} "),
            format!("projects/brigade-dev/roles/buckets_getIamPolicy serviceAccount:{OTHER} "),
            format!(
                "projects/brigade-dev/roles/objects_update serviceAccount:{OTHER} \
                 resource.name.startsWith(\"{RESOURCE}/objects/incoming/\")"
            ),
        ]
    );
}

#[tokio::test]
async fn a_listing_is_granted_below_its_prefix() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let builder = Emulator::builder().bucket(BUCKET);
    let builder = builder.role(POLLER, &[Permission::List], "incoming/");
    let google = builder.start(listener).await.unwrap();
    let poller = token(&google, POLLER).await;
    for (prefix, status) in [("incoming/", 200), ("incoming/x/", 200), ("", 403), ("in", 403)] {
        let url = url(&google, &format!("/o?prefix={prefix}"));
        let answer = http().get(url).bearer_auth(&poller).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{prefix}");
    }
}
