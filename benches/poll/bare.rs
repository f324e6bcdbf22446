//! What one would write by hand: the same calls through the same clients, and no promise.

use brigade_client::answer::Answer;
use brigade_proto::v1::{self, ProcessRequest};
use brigade_storage::{Bucket, ListRequest, Object};
use futures::{TryStreamExt as _, stream};
use tonic::Code;

/// Lists the inbox, asks the worker about each object, and moves it. How many it moved.
pub(crate) async fn poll(
    bucket: &dyn Bucket,
    in_flight: usize,
    ask: impl AsyncFn(ProcessRequest) -> Answer,
) -> usize {
    let first = Some(ListRequest {
        prefix: "incoming/".into(),
        page_size: 1_000,
        ..ListRequest::default()
    });
    let pages = stream::try_unfold(first, async |next| {
        let Some(request) = next else {
            return Ok(None);
        };
        let page = bucket.list(&request).await?;
        let next =
            (!page.next.is_empty()).then_some(ListRequest { page_token: page.next, ..request });
        Ok::<_, brigade_storage::Error>(Some((page.objects, next)))
    });
    let moved = pages
        .map_ok(|page| stream::iter(page.into_iter().map(Ok::<_, brigade_storage::Error>)))
        .try_flatten()
        .map_ok(async |object| {
            one(bucket, &ask, &object).await;
            Ok(())
        })
        .try_buffer_unordered(in_flight)
        .try_fold(0, async |moved, ()| Ok(moved + 1));
    moved.await.unwrap()
}

/// Asks the worker about the object, and moves it.
pub(crate) async fn one(
    bucket: &dyn Bucket,
    ask: &impl AsyncFn(ProcessRequest) -> Answer,
    object: &Object,
) {
    accepted(ask, object).await;
    let below = object.name.strip_prefix("incoming/").unwrap();
    let to = format!("processed/{below}");
    bucket.rename(object.pinned(), object.metageneration, &to).await.unwrap();
}

/// The worker accepts the object.
pub(crate) async fn accepted(ask: &impl AsyncFn(ProcessRequest) -> Answer, object: &Object) {
    match ask(request(object)).await {
        Answer::Worker(answer) => assert_eq!(answer.code, Code::Ok),
        other => panic!("{other:?}"),
    }
}

fn request(object: &Object) -> ProcessRequest {
    let object = v1::Object {
        bucket: object.bucket.clone(),
        name: object.name.clone(),
        generation: object.generation,
        size: object.size.cast_signed(),
        content_type: object.content_type.clone(),
        crc32c: object.crc32c,
        md5_hash: object.md5.map(|md5| md5.to_vec()).unwrap_or_default(),
        create_time: Some(brigade_proto::Timestamp {
            seconds: object.created.as_second(),
            nanos: object.created.subsec_nanosecond(),
        }),
        metadata: object.metadata.clone().into_iter().collect(),
        storage_class: object.storage_class.clone(),
        ..v1::Object::default()
    };
    ProcessRequest {
        idempotency_key: object.idempotency_key(),
        attempt: 1,
        object: Some(object),
        inbox: "gs://data/incoming/".into(),
    }
}
