//! Buckets that keep noncurrent versions.

use tonic::Code;

use super::*;

async fn versioned() -> Emulator {
    let emulator = start().await;
    let bucket = emulator.storage().bucket(BUCKET);
    bucket.keep_versions().unwrap();
    emulator
}

fn kept(emulator: &Emulator) -> Vec<(String, i64)> {
    let kept = emulator.storage().bucket(BUCKET).noncurrent().unwrap();
    let version = |object: crate::storage::Object| (object.name, object.generation);
    kept.into_iter().map(version).collect()
}

fn delete(generation: i64, live: Option<i64>) -> wire::DeleteObjectRequest {
    wire::DeleteObjectRequest {
        bucket: RESOURCE.into(),
        object: "a".into(),
        generation,
        if_generation_match: live,
        ..Default::default()
    }
}

#[tokio::test]
async fn a_conditional_deletion_keeps_a_version_and_one_that_names_it_does_not() {
    let emulator = versioned().await;
    let mut client = grpc(&emulator).await;
    let first = emulator.storage().put("a", "1").unwrap();
    client.delete_object(delete(0, Some(first))).await.unwrap();
    assert_eq!(kept(&emulator), [("a".to_owned(), first)]);

    let second = emulator.storage().put("a", "2").unwrap();
    client.delete_object(delete(second, None)).await.unwrap();
    assert_eq!(kept(&emulator), [("a".to_owned(), first)]);
    assert!(list(&mut client, "").await.is_empty());

    client.delete_object(delete(first, None)).await.unwrap();
    assert_eq!(kept(&emulator), []);
    let gone = client.delete_object(delete(first, None)).await;
    assert_eq!(gone.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_move_keeps_a_version_of_its_source_and_of_what_it_replaces() {
    let emulator = versioned().await;
    let mut client = grpc(&emulator).await;
    let source = emulator.storage().put("a", "1").unwrap();
    let taken = emulator.storage().put("b", "2").unwrap();
    let replacing = wire::MoveObjectRequest {
        if_generation_match: Some(taken),
        ..pinned_move("a", "b", source)
    };
    client.move_object(replacing).await.unwrap();
    let want = [("a".to_owned(), source), ("b".to_owned(), taken)];
    assert_eq!(kept(&emulator), want);
    assert_eq!(emulator.storage().read("b").unwrap().unwrap(), "1");
}

#[tokio::test]
async fn a_listing_of_all_versions_is_answered_while_the_live_ones_are_all() {
    let emulator = versioned().await;
    emulator.storage().put("a", "1").unwrap();
    let listed = async || {
        let answer = http().get(url(&emulator, "/o?versions=true")).send().await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!(listed().await, 200);
    emulator.storage().put("a", "2").unwrap();
    assert_eq!(listed().await, 501);
}

#[tokio::test]
async fn a_bucket_keeps_no_versions_by_default() {
    let emulator = start().await;
    emulator.storage().put("a", "1").unwrap();
    emulator.storage().put("a", "2").unwrap();
    emulator.storage().remove("a").unwrap();
    assert_eq!(kept(&emulator), []);
}

#[tokio::test]
async fn a_directory_cannot_keep_versions_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let builder = Emulator::builder().directory(BUCKET, directory.path());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let emulator = builder.start(listener).await.unwrap();
    let refused = emulator.storage().bucket(BUCKET).keep_versions();
    let why = refused.unwrap_err().to_string();
    assert!(why.contains("versions of files in a directory"), "{why}");
}
