//! Cloud Storage's client where the contract does not reach: holds, faults, copies in steps, and how many requests a
//! call is.

use std::sync::Arc;

use brigade_emulator::{
    Emulator,
    storage::{Fault, Kind as Refused, Operation as Asked, Permission},
};
use brigade_storage::{
    Bucket, FileContent, Kind, ListRequest, Metadata, NewObject, Object, Pinned, RewriteStep,
    Store,
    gcs::{GcsSettings, GcsStore},
};
use futures::TryStreamExt as _;
use tokio::net::TcpListener;

/// An emulator with one object in its bucket.
struct Stand {
    emulator: Emulator,
    bucket: Arc<dyn Bucket>,
    object: Object,
}

impl Stand {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let builder = Emulator::builder().bucket("bucket").bucket("other");
        let emulator = builder.start(listener).await.unwrap();
        let env = emulator.env();
        let settings = GcsSettings::from_env(|name| {
            let found = env.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone())
        });
        let bucket = GcsStore::connect(settings).await.unwrap().bucket("bucket");
        let object = bucket.create("in/a", 0, small()).await.unwrap();
        emulator.storage().reset_calls();
        Self { emulator, bucket, object }
    }

    fn arm(&self, operation: Asked, fault: Fault) {
        let _ = self.emulator.storage().fault(operation, fault);
    }

    /// Each call of the port under one name, and how it ended.
    async fn call(&self, operation: Asked) -> Result<(), brigade_storage::Error> {
        let (bucket, source) = (&self.bucket, self.object.pinned());
        match operation {
            Asked::List => bucket.list(&ListRequest::default()).await.map(drop),
            Asked::Get => bucket.get("in/a").await.map(drop),
            Asked::Insert => bucket.create("in/b", 0, small()).await.map(drop),
            Asked::Update => bucket.update(source, 1, &mark()).await.map(drop),
            Asked::Move => bucket.rename(source, 1, "out/a").await.map(drop),
            Asked::Rewrite => bucket.rewrite(source, "other", "a", None, None).await.map(drop),
            Asked::Delete => bucket.delete(source).await,
            Asked::Read => bucket.read(source, 0).await?.try_for_each(|_| async { Ok(()) }).await,
            other => panic!("the port does not ask for {other:?}"),
        }
    }
}

const ALL: [Asked; 8] = [
    Asked::List,
    Asked::Get,
    Asked::Insert,
    Asked::Update,
    Asked::Move,
    Asked::Rewrite,
    Asked::Delete,
    Asked::Read,
];

fn small() -> NewObject {
    NewObject {
        content: "0123456789".into(),
        content_type: "text/csv".into(),
        metadata: Metadata::new(),
    }
}

fn mark() -> Metadata {
    Metadata::from([("brigade-status".into(), "failed".into())])
}

#[tokio::test]
async fn every_call_is_one_request() {
    for operation in ALL {
        let stand = Stand::start().await;
        stand.call(operation).await.unwrap();
        let calls = stand.emulator.storage().calls();
        assert_eq!((calls.count(operation), calls.total()), (1, 1), "{operation:?}");
    }
}

#[tokio::test]
async fn merging_metadata_into_a_copy_costs_one_look() {
    let stand = Stand::start().await;
    let source = stand.object.pinned();
    stand.bucket.rewrite(source, "other", "a", Some(&mark()), None).await.unwrap();
    let calls = stand.emulator.storage().calls();
    assert_eq!((calls.count(Asked::Rewrite), calls.count(Asked::Get), calls.total()), (1, 1, 2));
}

#[tokio::test]
async fn every_refusal_is_understood_on_every_call_and_none_is_repeated() {
    let busy = Kind::Busy { retry_after: None };
    for (refused, want) in [
        (Refused::Precondition, Kind::Precondition),
        (Refused::PermissionDenied, Kind::PermissionDenied),
        (Refused::Unauthenticated, Kind::Unauthenticated),
        (Refused::Invalid, Kind::Invalid),
        (Refused::TooManyRequests, busy),
        (Refused::Unavailable, Kind::Unknown),
        (Refused::Internal, Kind::Unknown),
        (Refused::DeadlineExceeded, Kind::Unknown),
        (Refused::Aborted, Kind::Unknown),
    ] {
        let stand = Stand::start().await;
        for operation in ALL {
            stand.arm(operation, Fault::before(refused));
            let error = stand.call(operation).await.unwrap_err();
            assert_eq!(error.kind(), &want, "{operation:?}: {error}");
        }
        let sent = stand.emulator.storage().calls().total();
        // A read that is forbidden looks whether its generation is still there.
        let looks = u64::from(refused == Refused::PermissionDenied);
        assert_eq!(sent, ALL.len() as u64 + looks, "{refused:?}");
    }
}

#[tokio::test]
async fn a_read_of_a_generation_that_was_replaced_is_superseded_for_an_account_that_may_not_list() {
    const WORKER: &str = "worker@brigade-dev.iam.gserviceaccount.com";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let may = [Permission::Get];
    let builder = Emulator::builder().bucket("bucket").role(WORKER, &may, "in/");
    let emulator = builder.start(listener).await.unwrap();
    let env = emulator.env();
    let settings = GcsSettings::from_env(|name| {
        let found = env.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    });
    let bucket = GcsStore::connect(settings).await.unwrap().bucket("bucket");
    let (google, name) = (emulator.storage(), "in/a");
    let generation = google.put(name, "1").unwrap();
    let read = async |name: &'static str| {
        let stream = bucket.read(Pinned { name, generation }, 0).await?;
        stream.try_for_each(|_| async { Ok(()) }).await
    };
    read(name).await.unwrap();
    google.put(name, "2").unwrap();
    let replaced = read(name).await.unwrap_err();
    assert!(replaced.is_precondition(), "{replaced}");
    google.remove(name).unwrap();
    google.put("out/a", "1").unwrap();
    // Neither tells an object that is gone from one that the account may not read.
    for name in [name, "out/a"] {
        let denied = read(name).await.unwrap_err();
        assert_eq!(denied.kind(), &Kind::PermissionDenied, "{denied}");
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_leaves_it_open_and_nothing_is_repeated() {
    for (fault, applied) in [(Fault::reset_before(), false), (Fault::reset_after(), true)] {
        for operation in [Asked::Move, Asked::Delete, Asked::Update, Asked::Insert, Asked::Rewrite]
        {
            let stand = Stand::start().await;
            stand.arm(operation, fault.clone());
            let error = stand.call(operation).await.unwrap_err();
            assert!(error.is_ambiguous(), "{operation:?}: {error}");
            assert_eq!(stand.emulator.storage().calls().total(), 1, "{operation:?}");

            let again = stand.call(operation).await;
            assert_eq!(again.is_err(), applied, "{operation:?}: {again:?}");
        }
    }
}

#[tokio::test]
async fn a_download_that_breaks_off_ends_with_an_error() {
    let stand = Stand::start().await;
    stand.arm(Asked::Read, Fault::cut());
    let error = stand.call(Asked::Read).await.unwrap_err();
    assert!(error.is_ambiguous(), "{error}");
    assert_eq!(stand.emulator.storage().calls().total(), 1);
}

#[tokio::test]
async fn an_object_under_a_hold_is_seen_to_be_and_refused_as_held() {
    let stand = Stand::start().await;
    let external = stand.emulator.storage().bucket("bucket");
    external.edit("in/a", |object| object.temporary_hold = true).unwrap();
    let source = stand.object.pinned();
    // A hold counts as a change of metadata.
    let error = stand.bucket.rename(source, 2, "out/a").await.unwrap_err();
    assert!(error.is_held(), "{error}");
    let error = stand.call(Asked::Delete).await.unwrap_err();
    assert!(error.is_held(), "{error}");
    let replaced = stand.bucket.create("in/a", stand.object.generation, small()).await;
    assert!(replaced.unwrap_err().is_held());

    let listed = stand.bucket.list(&ListRequest::default()).await.unwrap();
    assert!(listed.objects[0].temporary_hold);
    let marked = stand.bucket.update(stand.object.pinned(), 2, &mark()).await.unwrap();
    assert!(marked.temporary_hold, "a mark does not release a hold");
}

#[tokio::test]
async fn an_object_that_is_retained_is_seen_to_be_and_refused_as_held() {
    let stand = Stand::start().await;
    let hour = std::time::Duration::from_hours(1);
    let external = stand.emulator.storage().bucket("bucket");
    external.set_retention(Some(hour)).unwrap();
    for operation in [Asked::Move, Asked::Delete] {
        let error = stand.call(operation).await.unwrap_err();
        assert!(error.is_held(), "{operation:?}: {error}");
    }
    let found = stand.bucket.get("in/a").await.unwrap();
    assert_eq!(found.retention_expires, Some(found.created + hour));
}

#[tokio::test]
async fn a_copy_in_many_steps_keeps_its_metadata_to_the_last() {
    let stand = Stand::start().await;
    stand.emulator.storage().set_rewrite_calls(3);
    let (source, mark) = (stand.object.pinned(), mark());
    let mut token: Option<String> = None;
    for _ in 0..2 {
        let step = stand.bucket.rewrite(source, "other", "a", Some(&mark), token.as_deref());
        let RewriteStep::More(next) = step.await.unwrap() else {
            panic!("the copy needs three steps")
        };
        token = Some(next);
    }
    let step = stand.bucket.rewrite(source, "other", "a", Some(&mark), token.as_deref());
    let RewriteStep::Done(copy) = step.await.unwrap() else {
        panic!("the copy needs no fourth step")
    };
    assert_eq!(copy.metadata, mark);
    assert_eq!(copy.content_type, "text/csv");
    assert!(copy.same_content(&stand.object));
}

#[tokio::test]
async fn a_file_is_uploaded_piece_by_piece_and_arrives_whole() {
    let stand = Stand::start().await;
    let content: Vec<u8> = (0..400_000_u32).flat_map(u32::to_le_bytes).collect();
    for (name, content) in [("out/large", content.as_slice()), ("out/empty", b"")] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let new = NewObject {
            content: FileContent::new(file.reopen().unwrap()).await.unwrap().into(),
            ..NewObject::default()
        };
        let created = stand.bucket.create(name, 0, new).await.unwrap();
        assert_eq!(created.crc32c, Some(crc32c::crc32c(content)));
        let stored = stand.emulator.storage().bucket("bucket").read(name);
        assert!(stored.unwrap().unwrap() == content, "{name}");
    }
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_uploaded_is_not_stored() {
    let stand = Stand::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "before").unwrap();
    let content = FileContent::new(file.reopen().unwrap()).await.unwrap();
    std::fs::write(file.path(), "AFTER!").unwrap();
    let new = NewObject { content: content.into(), ..NewObject::default() };
    assert!(stand.bucket.create("out/a", 0, new).await.is_err());
    assert!(stand.bucket.get("out/a").await.unwrap_err().is_not_found());
}
