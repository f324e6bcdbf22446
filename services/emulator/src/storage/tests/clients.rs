//! Details that real clients notice: each was seen in a recording of Cloud Storage or in a run of a public client.

use std::{io::Write as _, time::Duration};

use flate2::{Compression, write::GzEncoder};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::*;
use brigade_model::Attributes;

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}

fn reason(answer: &Value) -> &Value {
    &answer["error"]["errors"][0]["reason"]
}

#[tokio::test]
async fn a_multipart_upload_with_bare_line_feeds_is_taken() {
    let emulator = start().await;
    let body = "--==0==\nContent-Type: application/json; charset=UTF-8\n\n{\"name\": \"a\"}\n--==0==\n\
                Content-Type: text/csv\n\nday\r\n1\n--==0==--";
    let request = http().post(upload_url(&emulator, "uploadType=multipart"));
    let request =
        request.header("content-type", "multipart/related; boundary=\"==0==\"").body(body);
    let (status, stored) = answer(request).await;
    assert_eq!((status, &stored["contentType"]), (200, &json!("text/csv")), "{stored}");
    assert_eq!(emulator.storage().read("a").unwrap().unwrap(), "day\r\n1");
}

#[tokio::test]
async fn chunks_of_a_resumable_upload_are_taken_by_post() {
    const CHUNK: usize = 256 * 1024;
    let emulator = start().await;
    emulator.storage().reset_calls();
    let begun = http().post(upload_url(&emulator, "uploadType=resumable&name=a")).send();
    let session = begun.await.unwrap().headers()["location"].to_str().unwrap().to_owned();
    let chunk = async |range: String, content: Vec<u8>| {
        let request = http().post(&session).header("content-range", range).body(content);
        request.send().await.unwrap()
    };
    let first = chunk(format!("bytes 0-{}/*", CHUNK - 1), vec![1; CHUNK]).await;
    assert_eq!(first.status(), 308);
    assert_eq!(first.headers()["range"], format!("bytes=0-{}", CHUNK - 1));
    let last = chunk(format!("bytes {CHUNK}-{CHUNK}/{}", CHUNK + 1), vec![2]).await;
    assert_eq!(last.status(), 200);
    assert_eq!(emulator.storage().read("a").unwrap().unwrap().len(), CHUNK + 1);
    let calls = emulator.storage().calls();
    assert_eq!((calls.class_a(), calls.total()), (1, 3), "an upload is billed once");
}

#[tokio::test]
async fn a_listing_may_have_a_slash_at_its_end() {
    let emulator = start().await;
    emulator.storage().put("d/a", "").unwrap();
    let (status, page) = answer(http().get(url(&emulator, "/o/?prefix=d/"))).await;
    assert_eq!((status, &page["items"][0]["name"]), (200, &json!("d/a")));
}

#[tokio::test]
async fn a_deletion_of_what_the_caller_knows_is_not_modified() {
    let emulator = start().await;
    let generation = emulator.storage().put("a", "").unwrap();
    for condition in
        [format!("ifGenerationNotMatch={generation}"), "ifMetagenerationNotMatch=1".to_owned()]
    {
        let request = http().delete(url(&emulator, &format!("/o/a?{condition}")));
        assert_eq!(request.send().await.unwrap().status(), 304, "{condition}");
    }
    let request = wire::DeleteObjectRequest {
        bucket: RESOURCE.into(),
        object: "a".into(),
        if_generation_not_match: Some(generation),
        ..Default::default()
    };
    let refused = grpc(&emulator).await.delete_object(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Aborted);
    let other = http().delete(url(&emulator, "/o/a?ifGenerationNotMatch=1"));
    assert_eq!(other.send().await.unwrap().status(), 204);
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_gzip_object_is_unpacked_whole_for_a_client_that_does_not_take_gzip() {
    let emulator = start().await;
    let content = b"day,count\n".repeat(100_000);
    // Some writers make several members of one content.
    let packed = [gzip(&content[..500_000]), gzip(&content[500_000..])].concat();
    let in_gzip = || Attributes { content_encoding: "gzip".to_owned(), ..Attributes::default() };
    let bucket = emulator.storage().bucket(BUCKET);
    bucket.put_with("a", packed.clone(), in_gzip()).unwrap();
    for range in [None, Some("bytes=0-3")] {
        let mut request = http().get(url(&emulator, "/o/a?alt=media"));
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "a Range is ignored");
        let headers = answer.headers().clone();
        assert!(!headers.contains_key("content-encoding"));
        assert!(!headers.contains_key("content-range"));
        assert!(!headers.contains_key("content-length"));
        assert_eq!(headers["x-guploader-response-body-transformations"], "gunzipped");
        assert_eq!(headers["warning"], "214 UploadServer gunzipped");
        assert_eq!(headers["x-goog-stored-content-encoding"], "gzip");
        assert_eq!(headers["x-goog-stored-content-length"], packed.len().to_string());
        assert_eq!(answer.bytes().await.unwrap(), content);
    }
    let stored =
        http().get(url(&emulator, "/o/a?alt=media")).header("accept-encoding", "br, gzip;q=1");
    let answer = stored.send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert_eq!(answer.bytes().await.unwrap(), packed);
    let part = http().get(url(&emulator, "/o/a?alt=media")).header("accept-encoding", "gzip");
    let part = part.header("range", "bytes=0-3").send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.bytes().await.unwrap().as_ref()), (206, &packed[..4]));

    let kept = Attributes { cache_control: "public, no-transform".to_owned(), ..in_gzip() };
    bucket.put_with("kept", packed.clone(), kept).unwrap();
    let answer = http().get(url(&emulator, "/o/kept?alt=media")).send().await.unwrap();
    assert_eq!(answer.bytes().await.unwrap(), packed);

    bucket.put_with("wrong", "not in gzip", in_gzip()).unwrap();
    let content = async || {
        let request = http().get(url(&emulator, "/o/wrong?alt=media"));
        request.send().await?.bytes().await
    };
    assert!(content().await.is_err(), "a body that cannot be unpacked breaks off");
}

#[tokio::test]
async fn a_download_names_the_class_and_a_part_of_it_no_sum() {
    let emulator = start().await;
    let attributes = Attributes {
        storage_class: "NEARLINE".to_owned(),
        content_encoding: "identity".to_owned(),
        ..Attributes::default()
    };
    emulator.storage().bucket(BUCKET).put_with("a", "day", attributes).unwrap();
    let whole = http().get(url(&emulator, "/o/a?alt=media")).send().await.unwrap();
    assert_eq!(whole.headers()["x-goog-storage-class"], "NEARLINE");
    assert!(whole.headers()["x-goog-hash"].to_str().unwrap().starts_with("crc32c="));
    assert!(!whole.headers().contains_key("content-encoding"), "identity is no encoding");
    let part = http().get(url(&emulator, "/o/a?alt=media")).header("range", "bytes=1-");
    let part = part.send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert!(!part.headers().contains_key("x-goog-hash"));
}

#[tokio::test]
async fn a_name_that_is_missing_is_required() {
    let emulator = start().await;
    emulator.storage().put("a", "").unwrap();
    let upload = |query: &str| http().post(upload_url(&emulator, query));
    for request in [
        upload("uploadType=media"),
        upload("uploadType=media&name="),
        upload("uploadType=resumable").json(&json!({})),
        http().post(url(&emulator, "/o/a/rewriteTo/b/some-bucket/o/")),
        http().post(url(&emulator, "/o/a/copyTo/b/some-bucket/o/")),
        http().post(url(&emulator, "/o/a/moveTo/o/")),
        http().post(format!("{}storage/v1/b", emulator.url())).json(&json!({"name": null})),
    ] {
        let (status, error) = answer(request).await;
        assert_eq!((status, reason(&error)), (400, &json!("required")), "{error}");
    }
}

#[tokio::test]
async fn one_write_of_a_name_a_second_on_request() {
    let emulator = start().await;
    let storage = emulator.storage();
    storage.limit_writes(Duration::from_hours(1));
    let upload = |name: &str| {
        http().post(upload_url(&emulator, &format!("uploadType=media&name={name}"))).body("1")
    };
    assert_eq!(answer(upload("a")).await.0, 200);
    for request in [
        upload("a"),
        http().patch(url(&emulator, "/o/a")).json(&json!({"contentType": "text/csv"})),
        http().post(url(&emulator, "/o/a/moveTo/o/b")),
        http().delete(url(&emulator, "/o/a")),
    ] {
        let (status, error) = answer(request).await;
        assert_eq!((status, reason(&error)), (429, &json!("rateLimitExceeded")), "{error}");
        assert_eq!(error["error"]["errors"][0]["domain"], "usageLimits");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(
            message.starts_with(
                "The object some-bucket/a exceeded the rate limit for object mutation"
            ),
            "{message}"
        );
    }
    assert_eq!(answer(upload("b")).await.0, 200, "another name has its own limit");
    assert_eq!(answer(http().get(url(&emulator, "/o/a"))).await.0, 200, "reads have none");
    storage.limit_writes(Duration::ZERO);
    assert_eq!(answer(upload("a")).await.0, 200);
}

#[tokio::test]
async fn labels_place_and_class_of_a_bucket_are_stored_and_returned() {
    let emulator = start().await;
    let wanted = json!({
        "name": "third-bucket",
        "labels": {"team": "data"},
        "location": "europe-west1",
        "storageClass": "NEARLINE",
        "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": true}},
        "lifecycle": {"rule": []},
        "versioning": {"enabled": false},
        "encryption": null,
    });
    let root = format!("{}storage/v1/b", emulator.url());
    let (status, made) = answer(http().post(&root).json(&wanted)).await;
    assert_eq!(status, 200, "{made}");
    let (_, found) = answer(http().get(format!("{root}/third-bucket"))).await;
    assert_eq!(found, made);
    for field in ["labels", "storageClass", "iamConfiguration"] {
        assert_eq!(found[field], wanted[field]);
    }
    assert_eq!(
        (&found["location"], &found["locationType"]),
        (&json!("EUROPE-WEST1"), &json!("region"))
    );
    emulator.storage().bucket("third-bucket").put("a", "").unwrap();
    let (_, object) = answer(http().get(format!("{root}/third-bucket/o/a"))).await;
    assert_eq!(object["storageClass"], "NEARLINE");
}
