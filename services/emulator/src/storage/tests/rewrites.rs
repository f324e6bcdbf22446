use tonic::Code;

use super::*;

const OTHER: &str = "projects/_/buckets/other-bucket";

fn copy(name: &str, generation: i64) -> wire::RewriteObjectRequest {
    wire::RewriteObjectRequest {
        source_bucket: RESOURCE.into(),
        source_object: name.into(),
        destination_bucket: OTHER.into(),
        destination_name: name.into(),
        if_source_generation_match: Some(generation),
        if_generation_match: Some(0),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_destination_resource_replaces_all_metadata() {
    let emulator = start().await;
    let generation = emulator.storage().put("a", "content").unwrap();
    emulator.storage().bucket(BUCKET).edit("a", |to| to.content_type = "text/csv".into()).unwrap();
    let resource =
        wire::Object { metadata: [("k".into(), "v".into())].into(), ..Default::default() };
    let request =
        wire::RewriteObjectRequest { destination: Some(resource), ..copy("a", generation) };
    let copied =
        grpc(&emulator).await.rewrite_object(request).await.unwrap().into_inner().resource.unwrap();
    assert_eq!((copied.content_type.as_str(), copied.metadata["k"].as_str()), ("", "v"));
}

#[tokio::test]
async fn a_copy_in_several_calls_shows_nothing_before_the_last() {
    let emulator = start().await;
    let generation = emulator.storage().put("a", vec![7; 2 * 1024 * 1024 + 1]).unwrap();
    let mut client = grpc(&emulator).await;
    let mut request = wire::RewriteObjectRequest {
        max_bytes_rewritten_per_call: 1024 * 1024,
        ..copy("a", generation)
    };
    let mut written = Vec::new();
    loop {
        let step = client.rewrite_object(request.clone()).await.unwrap().into_inner();
        written.push(step.total_bytes_rewritten);
        if step.done {
            break;
        }
        assert!(emulator.storage().bucket("other-bucket").get("a").unwrap().is_none());
        request.rewrite_token = step.rewrite_token;
    }
    assert_eq!(written.len(), 3);
    assert_eq!(written[2], 2 * 1024 * 1024 + 1);
    assert_eq!(
        emulator.storage().bucket("other-bucket").read("a").unwrap().unwrap().len(),
        2 * 1024 * 1024 + 1
    );
    request.if_generation_match = None;
    let spent = client.rewrite_object(request).await.unwrap_err();
    assert_eq!(spent.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_copy_under_way_notices_a_new_source_and_a_taken_destination() {
    let emulator = start().await;
    emulator.storage().set_rewrite_calls(2);
    let generation = emulator.storage().put("a", "1").unwrap();
    let mut client = grpc(&emulator).await;
    let begun = client.rewrite_object(copy("a", generation)).await.unwrap().into_inner();
    assert!(!begun.done);
    let next =
        wire::RewriteObjectRequest { rewrite_token: begun.rewrite_token, ..copy("a", generation) };
    let elsewhere = wire::RewriteObjectRequest { destination_name: "b".into(), ..next.clone() };
    assert_eq!(client.rewrite_object(elsewhere).await.unwrap_err().code(), Code::InvalidArgument);

    let taken = emulator.storage().bucket("other-bucket");
    taken.put("a", "2").unwrap();
    assert_eq!(
        client.rewrite_object(next.clone()).await.unwrap_err().code(),
        Code::FailedPrecondition
    );
    taken.remove("a").unwrap();
    emulator.storage().put("a", "3").unwrap();
    let unfenced = wire::RewriteObjectRequest {
        if_source_generation_match: None,
        source_generation: 0,
        ..next.clone()
    };
    for (request, code) in [(next, Code::FailedPrecondition), (unfenced, Code::NotFound)] {
        let refused = client.rewrite_object(request).await.unwrap_err();
        assert_eq!(refused.code(), code);
    }
    assert!(taken.get("a").unwrap().is_none());
}
